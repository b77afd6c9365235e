"""Adapter: Mesos. The executor's link to its agent, and what commands and the lender need of Mesos.

driver.py            the executor's end of the agent's API, for the event loop. Start here
environment.py       what the agent tells an executor in variables; identity.py checks it
session.py           what events and losses of the subscription mean; reconnect.py: when to try again (pure)
connection.py        sockets to the agent; recordio.py, event_json.py: records of its stream (pure)
events.py            events of the executor API as values (pure)
pymesos_fixes.py     pymesos' executor driver, with its defects corrected

status.py            TaskStatus, states and reasons (pure)
outbox.py            updates and messages to be sent, shared by threads; sender.py sends and retries
updates.py           which updates the agent has not acknowledged (pure)

resources.py         what resources add up to (pure); executorinfo.py: the form of an ExecutorInfo (pure)
agent_flags.py       the flags of an agent
scheduler.py         a framework of the scheduler API, for `run`; offers.py, master_rules.py: its decisions (pure)
provider.py          a resource provider of an agent, for the lender
operator/            the operator API of agents and masters
"""
