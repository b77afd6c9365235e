"""What is offered: memory, cpus that are held and not used, and under an id that the agent does not know any more."""

from __future__ import annotations

import time

import pytest

from tests.support.lending import Lender, borrower, demand, first_instruction, owner, wait_revocable
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def test_memory_is_back_before_the_owner_touches_it(rig: Rig) -> None:
    """In an executor without resources of its own: Mesos allows no task with revocable memory beside regular memory."""
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        wait_revocable(batch, 2.0)
        pods = []
        for name in ("m0", "m1"):
            pod = rig.pod(name, revocable=True, cpus=1.0)
            pod["resources"][1] = messages.scalar("mem", 768, revocable=True)
            pods.append(pod)
        batch.launch(pods, rig.executor("borrowed", resources=[]))
        lender.wait(lambda now: now["borrowed"]["mem_bytes"] == 1536 << 20)
        for name in ("m0", "m1"):
            batch.wait_status(name, "TASK_RUNNING", 30)
        first = rig.directory / "first-memory"
        demand(spark, "exec", 1.0, first, mem=1024)
        gone = wait_for(lambda: [s for s in batch.statuses() if s.state in TERMINAL] or None, 20, 0.01)
        assert gone is not None and len(gone) == 1
        began_s = first_instruction(first)
        freed = lender.freed_s()[0]
        assert freed < began_s
        now = lender.wait(lambda now: len(now["loans"]) == 1)
        assert now["borrowed"]["mem_bytes"] == 768 << 20


def test_cpus_that_an_owner_holds_and_does_not_use_are_offered(rig: Rig) -> None:
    keys = {"LENDING_BY_USE": "true", "LENDING_MARGIN_PERCENT": "10", "LENDING_PEAK_HALF_LIFE_S": "1"}
    with Lender(rig, **keys) as lender, owner(rig) as spark:
        lender.wait_offer(4.0)
        start = rig.directory / "start"
        start.unlink(missing_ok=True)
        busy = f"until [ -e {start} ]; do sleep 1; done; for n in 1 2 3 4 5 6; do while :; do :; done & done; wait"
        task = messages.task_info(
            "exec", [messages.scalar("cpus", 4), messages.scalar("mem", 64)], command=messages.command(busy)
        )
        spark.wait_offers()
        spark.launch([task])
        spark.wait_status("exec", "TASK_RUNNING", 20)
        lender.wait(lambda now: now["offer"]["cpus"] == 0)
        idle = lender.wait(lambda now: now["offer"]["cpus"] > 3.5, 30)
        start.write_text("")
        lender.wait(lambda now: now["offer"]["cpus"] < idle["offer"]["cpus"] - 0.3, 20)
        spark.kill("exec")


def test_a_provider_that_the_agent_has_forgotten_subscribes_as_a_new_one(rig: Rig) -> None:
    with Lender(rig) as lender:
        before = lender.wait_offer(4.0)["provider"]
        lender.stop()
        (lender.directory / "provider").write_text("11111111-2222-3333-4444-555555555555")
        lender.log_path.write_text("")
        lender.start()
        now = lender.wait_offer(4.0)
        assert now["provider"] not in (before, "11111111-2222-3333-4444-555555555555")
        time.sleep(1)
        assert len(lender.lines("lending.subscribed")) == 1
        assert rig.agent.running
