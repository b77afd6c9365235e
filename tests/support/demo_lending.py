"""The second scene of the demo: a lending cycle with a real lender, as packaging/doc/lending.md explains it."""

from __future__ import annotations

from typing import Any, Final

from tests.support.demo_story import Story, pids, show
from tests.support.lending import (
    BORROWER,
    GROW_S,
    OWNER,
    Lender,
    borrow,
    borrower,
    demand,
    first_instruction,
    owner,
)
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig

RESERVED: Final = f"cpus({OWNER}):4;mem({OWNER}):2048;cpus({BORROWER}):2;mem({BORROWER}):2048"
"""What the agent of the demo has for the owner, and for what borrowers need beside it."""
CPUS: Final = 4
NEEDED: Final = 2
PODS: Final = tuple(f"batch-{number}" for number in range(CPUS))
TASK: Final = "spark-0"


def play(rig: Rig, story: Story) -> dict[str, Any]:
    """Offered, borrowed, needed by the owner, returned, offered again; what is to be judged of it."""
    story.tell(f"scene 2, lending: role {OWNER} has {CPUS} cpus reserved here, and uses none: mesos-pod-executor lend")
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(CPUS)
        batch.launch([rig.pod("web")], rig.executor("regular"))
        borrow(rig, batch, list(PODS))
        batch.wait_status("web", "TASK_RUNNING", 30)
        lender.wait(lambda now: len(now["loans"]) == CPUS)
        story.tell(f"the lender offers them as revocable; {CPUS} pods of role {BORROWER} borrow one cpu each:")
        before = show(rig, story)

        story.tell(f"{OWNER} launches a task that needs {NEEDED} of its cpus")
        first = rig.directory / "first-instruction"
        launched_s = demand(spark, TASK, NEEDED, first)
        began_s = first_instruction(first)
        lender.wait(lambda now: len(now["loans"]) == CPUS - NEEDED)
        asked = [line["task"] for line in lender.lines("lending.asked")]
        ended = [batch.wait_status(name, TERMINAL, 20) for name in asked]
        freed_ms, began_ms = (round((at_s - launched_s) * 1000) for at_s in (max(lender.freed_s()), began_s))
        story.tell(f"the lender received this from the master, and revoked {len(asked)} pods: {', '.join(asked)}")
        story.tell(f"  {freed_ms:5} ms after the launch: these pods had ended, and their cpus were free")
        story.tell(f"  {began_ms:5} ms after the launch: the first instruction of {OWNER}'s task")
        reasons = sorted({f"{each.state} {each.reason}" for each in ended})
        story.tell(f"role {BORROWER} received: {len(ended)} x {', '.join(reasons)}; the others go on:")
        after = show(rig, story)

        spark.kill(TASK)
        spark.wait_status(TASK, TERMINAL, 20)
        lender.wait_offer(CPUS)
        story.tell(f"the task has ended: after {GROW_S:g} s ([lending] grow_after_s) all {CPUS} cpus are offered again")
        batch.call("TEARDOWN")
        kept = [pod for pod in before if pod["name"] not in asked]
        result = {
            "asked": len(asked),
            "freed_ms": freed_ms,
            "first_instruction_ms": began_ms,
            "reasons": reasons,
            "kept_before": pids(kept, "revocable"),
            "kept_after": pids(after, "revocable"),
            "regular_before": pids(before, "regular"),
            "regular_after": pids(after, "regular"),
        }
    result["leaks"] = rig.wait_clean()
    return result


def faults(result: dict[str, Any]) -> list[str]:
    """Faults of the cycle: a return that was late or too large, pods that changed, what was left."""
    found = []
    if result["asked"] != NEEDED:
        found.append(f"{result['asked']} pods of one cpu were asked back for {NEEDED} cpus")
    if result["freed_ms"] >= result["first_instruction_ms"]:
        found.append("the cpus were not free before the first instruction of the owner's task")
    if result["reasons"] != ["TASK_GONE REASON_CONTAINER_PREEMPTED"]:
        found.append(f"the statuses are {result['reasons']}")
    found += [
        f"the processes of the {kind} pods are not the same as before"
        for kind in ("kept", "regular")
        if result[f"{kind}_before"] != result[f"{kind}_after"] or not result[f"{kind}_before"]
    ]
    if any(result["leaks"].values()):
        found.append(f"something was left: {result['leaks']}")
    return found
