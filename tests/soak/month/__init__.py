"""A month on 100 machines in virtual time: the real decisions against simulated nodes, agents and a scheduler.

    clock.py       an event loop whose time passes at once
    rates.py       how often what fails, and where the figures are from
    node.py        what a pod has on a node: processes, containers, a network; each call may be late, fail, or half fail
    processes.py   its processes
    groups.py      its cgroups, and those above it
    pod.py         one pod: the real inbox, life cycles, performer, evidence and tear-down on such a node
    executor.py    one executor: the real ledger of updates, reporter, retries, reconnects and revocations
    agent.py       a Mesos agent as its source has it, as far as updates and executors are concerned
    scheduler.py   what a framework was told of its tasks, checked with each update
    work.py        the pods that the framework launches
    cluster.py     machines, their work and their faults

Real is everything that decides: executor.pod.inbox, performer, life/, exits, release/, probes, reporting,
mesos.updates, mesos.reconnect, mesos.sender.judge, revocation with its ladder and receipts, the log. Simulated is what
they act on. A seed repeats a run: every random choice comes from it, and the loop's order depends on nothing else.
"""
