"""The main job as a short story with real parts, told as it happens; `packaging/demo` starts it in the private node."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from tests.support.demo_story import Story, pids, show

if TYPE_CHECKING:
    from tests.support.mesos.scheduler import Scheduler
    from tests.support.rig import Rig

BUSY = ("sh", "-c", "sleep 1000 & sleep 1000 & trap 'exit 0' TERM; wait")
"""Three processes in each pod."""
EXECUTOR = "mixed"
NOTHING_LEFT = "nothing is left of the executor: no container, netns, cgroup, snapshot or IP"


def main() -> int:
    signal.signal(signal.SIGINT, _interrupt)
    from tests.support import demo_lending  # only now an interrupt is met as it should be
    from tests.support.mesos.operator import Operator
    from tests.support.mesos.provider import RevocableProvider
    from tests.support.rig import OPTIONS, PROGRAM, Rig

    arguments = _arguments(PROGRAM)
    story = Story(quiet=arguments.json)
    config = _practice() if arguments.shell else {"POLICY_DEFAULT": "baseline"}
    options = replace(OPTIONS, estimator=False, resources=f"{OPTIONS.resources};{demo_lending.RESERVED}")
    with Rig(options, program=shlex.split(arguments.program), config=config) as rig:
        version = Operator(rig.cluster.endpoint).call("GET_VERSION")["get_version"]["version_info"]["version"]
        story.tell(f"up: containerd with one image, Mesos {version} with a master and an agent (cgroups isolators)")
        with RevocableProvider(rig.agent.endpoint, cpus=32, mem=8192):
            if arguments.shell:
                return visit(rig, story, arguments.regular, arguments.revocable)
            result = play(rig, story, arguments.regular, arguments.revocable, arguments.grace)
        good = _judge(faults(result), story)
        result["lending"] = demo_lending.play(rig, story)
        good = _judge(demo_lending.faults(result["lending"]), story) and good
    result["mesos_version"] = version
    if arguments.json:
        print(json.dumps(result))
    return 0 if good else 1


def _practice() -> dict[str, str]:
    """A configuration with which every incident of the runbook can be staged, and a role of each level be tried."""
    from tests.support.incidents import STORAGE

    policy = f'{{level = "baseline", host_paths = ["{STORAGE}"]}}'
    roles = '{infra = "privileged", guests = "restricted"}'
    return {"POLICY_DEFAULT": policy, "POLICY_ROLES": roles, "REVOCATION_STUCK_AFTER_S": "2", "DISK_ENFORCE": "true"}


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: a second Ctrl-C does not break off the cleaning up, which takes a second."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _arguments(program: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="packaging/demo", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--regular", type=int, default=3, metavar="N", help="regular pods (3)")
    parser.add_argument("--revocable", type=int, default=5, metavar="N", help="revocable pods (5)")
    parser.add_argument(
        "--grace", default="0s", metavar="TIME", help="what each victim gets between SIGTERM and the kill (0s)"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--shell", action="store_true", help="launch the pods and leave the rest to you, at a prompt")
    how.add_argument("--json", action="store_true", help="end with one line of JSON; the story goes to stderr")
    parser.add_argument("--program", default=shlex.join(program), help="the executor to show (this checkout's)")
    return parser.parse_args()


def visit(rig: Rig, story: Story, regulars: int, revocables: int) -> int:
    """The same pods, and a prompt beside them; the exit status to end with."""
    from tests.support import demo_shell
    from tests.support.incidents import Stage
    from tests.support.mesos.sharing import SharingScheduler

    with SharingScheduler(rig.cluster.endpoint, name="demo") as scheduler, Stage(rig, scheduler, EXECUTOR) as stage:
        agent_id, _ = _launch(scheduler, rig, story, regulars, revocables)
        scheduler.release()
        show(rig, story)
        with demo_shell.page(rig) as address:
            if address:
                story.tell(f"the node in a browser of this machine: {address}")
            story.tell(demo_shell.HINT)
            code = demo_shell.run(rig, scheduler, stage)
        stage.release()
        scheduler.shutdown_executor(agent_id, EXECUTOR)
    left = {name: count for name, count in rig.wait_clean().items() if count}
    story.tell(f"FAULT: something was left: {left}" if left else NOTHING_LEFT)
    return code or int(bool(left))


def _launch(
    scheduler: Scheduler, rig: Rig, story: Story, regulars: int, revocables: int
) -> tuple[str, tuple[list[str], list[str]]]:
    """Waits until all run. The agent's id; the regular and the revocable tasks' ids."""
    regular, revocable = [f"web-{n}" for n in range(regulars)], [f"batch-{n}" for n in range(revocables)]
    tasks = [rig.pod(name, command=BUSY, metadata=_labelled("web")) for name in regular]
    tasks += [rig.pod(name, command=BUSY, metadata=_labelled("batch"), revocable=True) for name in revocable]
    agent_id = scheduler.launch(tasks, rig.executor(EXECUTOR))
    for name in regular + revocable:
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    story.tell(f"one executor runs {regulars} regular and {revocables} revocable pods (all TASK_RUNNING):")
    return agent_id, (regular, revocable)


def _labelled(app: str) -> dict[str, Any]:
    return {"labels": {"app": app}}


def play(rig: Rig, story: Story, regulars: int, revocables: int, grace: str) -> dict[str, Any]:
    """The job itself; what is to be judged of it."""
    with rig.scheduler(name="demo") as scheduler:
        agent_id, (regular, revocable) = _launch(scheduler, rig, story, regulars, revocables)
        before = show(rig, story)
        story.tell(f"Spark wants its resources back: mesos-pod-executor revoke --all --grace {grace}")
        receipt = rig.json("revoke", "--all", "--grace", grace, "--reason", "spark wants its resources back")
        _tell_receipt(story, receipt)
        for task in revocable:
            scheduler.wait_status(task, "TASK_GONE", 30)
        gone = [status for status in scheduler.statuses() if status.state == "TASK_GONE"]
        reasons = Counter(f"{status.state} {status.reason}" for status in gone)
        story.tell("the scheduler received: " + ", ".join(f"{count} x {text}" for text, count in reasons.items()))
        after = show(rig, story)
        counts = Counter(status.state for status in scheduler.statuses())
        result = {
            "mesos_version": "",
            "pods": {"regular": len(regular), "revocable": len(revocable)},
            "regular_before": pids(before, "regular"),
            "regular_after": pids(after, "regular"),
            "revocable_alive_after": len(pids(after, "revocable")),
            "revocation_ms": receipt["time_to_free_ms"],
            "statuses": {state: counts[state] for state in ("TASK_RUNNING", "TASK_GONE")},
            "reasons": dict(reasons),
        }
        story.tell("the framework is done: SHUTDOWN to the executor, which ends the regular pods in order")
        _end(scheduler, agent_id, regular)
    result["leaks"] = rig.wait_clean()
    return result


def _tell_receipt(story: Story, receipt: dict[str, Any]) -> None:
    freed, regular = receipt["freed"], receipt["regular"]
    story.tell(
        f"receipt {receipt['id']}: {len(receipt['victims'])} pods ended in {receipt['time_to_free_ms']} ms, "
        f"{freed['cpus']} cpus and {freed['mem_bytes'] / 2**20:.1f} MiB are free again"
    )
    for step in receipt["steps"]:
        story.tell(f"  {step['ms']:8.1f} ms  {step['step']}: {step['effect']}")
    proof = "the same processes as before" if regular["unchanged"] else f"CHANGED: {regular['changed']}"
    story.tell(f"proof: {regular['pods']} regular pods with {regular['processes']} processes, {proof}")


def _end(scheduler: Scheduler, agent_id: str, tasks: Sequence[str]) -> None:
    scheduler.shutdown_executor(agent_id, EXECUTOR)
    for task in tasks:
        scheduler.wait_status(task, ("TASK_KILLED", "TASK_FAILED"), 30)


def _judge(found: Sequence[str], story: Story) -> bool:
    story.tell(NOTHING_LEFT if not found else "FAULT: " + "; ".join(found))
    return not found


def faults(result: dict[str, Any]) -> list[str]:
    """Faults of the job: regular pods that changed, revocable ones that did not end as they must, what was left."""
    found = []
    if result["regular_before"] != result["regular_after"] or not result["regular_before"]:
        found.append("the regular pods' processes are not the same as before")
    if result["revocable_alive_after"]:
        found.append(f"{result['revocable_alive_after']} revocable processes are alive")
    if result["reasons"] != {"TASK_GONE REASON_CONTAINER_PREEMPTED": result["pods"]["revocable"]}:
        found.append(f"the statuses are {result['reasons']}")
    if any(result["leaks"].values()):
        found.append(f"something was left: {result['leaks']}")
    return found


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("packaging/demo: interrupted; whatever it had started is gone", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
