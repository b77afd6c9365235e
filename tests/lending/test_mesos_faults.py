"""The agent restarts, the master is away, an executor dies or hangs: no loan is lost, none is returned twice."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import time
from collections import Counter

import psutil
import pytest

from executor.cli.executors.client import Client
from tests.support.lending import (
    BORROWER,
    BORROWS,
    Lender,
    borrow,
    borrower,
    demand,
    first_instruction,
    owner,
    wait_revocable,
)
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.sharing import SharingScheduler
from tests.support.relay import Relay
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

NAMES = ["b0", "b1", "b2"]


def ledger(lender: Lender) -> Counter[tuple[str, str]]:
    lines = map(json.loads, (lender.directory / "ledger.jsonl").read_text().splitlines())
    return Counter((line["entry"], line["task"]) for line in lines)


def pid_of(rig: Rig, framework: str, executor: str) -> int:
    container = rig.agent.container_id(framework, executor)
    return int(Client(rig.run_dir / f"{container}.sock").get("/v1/executor")["pid"])


def test_the_agent_restarts(rig: Rig) -> None:
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        before = lender.wait(lambda now: len(now["loans"]) == 3)
        lender.log_path.write_text("")
        rig.agent.restart(down_s=0.5)
        assert wait_for(lambda: lender.lines("lending.subscribed") or None, 15, 0.02)
        now = lender.wait_offer(4.0)
        assert now["provider"] == before["provider"] and {each["task"] for each in now["loans"]} == set(NAMES)
        assert ledger(lender) == Counter(("borrowed", name) for name in NAMES)
        first = rig.directory / "first-agent"
        demand(spark, "exec", 2.0, first)
        first_instruction(first)
        now = lender.wait(lambda now: len(now["loans"]) == 2)
        assert sum(ledger(lender)[key] for key in ledger(lender) if key[0] == "returned") == 1


def test_nothing_new_is_borrowed_while_the_master_cannot_be_reached(rig: Rig) -> None:
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(Relay(rig.cluster.endpoint))
        lender = stack.enter_context(Lender(rig, LENDING_MASTERS=relay.endpoint))
        spark, batch = stack.enter_context(owner(rig)), stack.enter_context(borrower(rig))
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        lender.wait(lambda now: len(now["loans"]) == 3 and now["offer"]["cpus"] == 4.0)
        relay.close()
        lender.wait(lambda now: not now["master"] and now["offer"]["cpus"] == 3.0)
        first = rig.directory / "first-away"
        demand(spark, "exec", 2.0, first)
        lender.wait(lambda now: len(now["loans"]) == 2 and now["offer"]["cpus"] == 2.0)
        time.sleep(2)
        assert lender.status()["offer"]["cpus"] == 2.0
        assert sum(each.state in TERMINAL for each in batch.statuses()) == 1


def test_a_new_container_tells_of_a_launch_where_no_master_can_be_reached(rig: Rig) -> None:
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(Relay(rig.cluster.endpoint))
        keys = {"LENDING_MASTERS": relay.endpoint, "LENDING_INTERVAL_S": "20"}
        lender = stack.enter_context(Lender(rig, **keys))
        spark, batch = stack.enter_context(owner(rig)), stack.enter_context(borrower(rig))
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        lender.wait(lambda now: len(now["loans"]) == 3)
        relay.close()
        lender.wait(lambda now: not now["master"])
        time.sleep(1)
        first = rig.directory / "first-container"
        launched_s = demand(spark, "exec", 2.0, first)
        began_s = first_instruction(first)
        freed = wait_for(lambda: lender.freed_s() or None, 15, 0.01)
        assert freed is not None and freed[0] - launched_s < 2.0
        print("launch to freed, launch to first instruction (s):", freed[0] - launched_s, began_s - launched_s)


def test_another_master_is_followed_where_one_is_away(rig: Rig) -> None:
    with Relay(rig.cluster.endpoint) as relay:
        masters = f"{relay.endpoint},{rig.cluster.endpoint}"
        with Lender(rig, LENDING_MASTERS=masters) as lender:
            lender.wait_offer(4.0)
            relay.close()
            assert wait_for(lambda: True if len(lender.lines("lending.following")) == 2 else None, 15)
            lender.wait_offer(4.0)


def test_an_executor_that_dies_gives_back_what_it_held(rig: Rig) -> None:
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, NAMES)
        lender.wait(lambda now: len(now["loans"]) == 3)
        os.kill(pid_of(rig, batch.framework_id, "borrowed"), signal.SIGKILL)
        lender.wait(lambda now: not now["loans"] and now["offer"]["cpus"] == 4.0)
        assert ledger(lender) == Counter((kind, name) for kind in ("borrowed", "returned") for name in NAMES)
        assert revocable_pods(rig) == []


def revocable_pods(rig: Rig) -> list[str]:
    return [pod["name"] for pod in rig.pods() if pod["class"] == "revocable"]


def test_others_return_in_the_place_of_a_hung_executors_pods(rig: Rig) -> None:
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["hung"], 2.0, executor="hung")
        borrow(rig, batch, ["valued"], 2.0, executor="valued", spec={"priority": 100})
        lender.wait(lambda now: len(now["loans"]) == 2)
        time.sleep(1.5)  # the executors were asked
        hung = psutil.Process(pid_of(rig, batch.framework_id, "hung"))
        hung.suspend()
        try:
            demand(spark, "exec", 2.0, rig.directory / "first-hung")
            batch.wait_status("valued", TERMINAL, 30)
            assert lender.lines("lending.refused") and lender.lines("lending.unreachable")
        finally:
            hung.resume()
        spark.kill("exec")
        lender.wait(lambda now: now["offer"]["cpus"] >= 2.0 and all(each["can_return"] for each in now["loans"]))


def test_a_launch_without_a_lender_costs_no_regular_pod_of_a_pair(rig: Rig) -> None:
    """Mesos 1.11 then destroys the executor that holds loans; the other half of the pair is not touched."""
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["b0"])
        batch.launch([rig.pod("web", cpus=1)], rig.executor("regular"))
        batch.wait_status("web", "TASK_RUNNING", 30)
        lender.wait(lambda now: len(now["loans"]) == 1)
        assert not lender.lines("lending.mixed")
        before = [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"]
        lender.stop(signal.SIGKILL)
        time.sleep(0.5)
        batch.launch([rig.pod("web2", cpus=1)], rig.executor("regular"))
        batch.wait_status("web2", "TASK_RUNNING", 30)
        batch.launch([rig.pod("late", cpus=1)], rig.executor("borrowed"))
        assert batch.wait_status("b0", TERMINAL, 30).reason == "REASON_CONTAINER_UPDATE_FAILED"
        assert [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"] == before
        lender.start()
        lender.wait(lambda now: not now["loans"])
        assert ledger(lender) == Counter([("borrowed", "b0"), ("returned", "b0")])


def test_an_executor_with_loans_and_regular_pods_is_named(rig: Rig) -> None:
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["b0"], executor="mixed")
        batch.launch([rig.pod("web", cpus=1)], rig.executor("mixed"))
        batch.wait_status("web", "TASK_RUNNING", 30)
        assert wait_for(lambda: lender.lines("lending.mixed") or None, 10)


def test_a_borrower_over_its_quota_returns_and_another_one_may_not_borrow(rig: Rig) -> None:
    rules = {"LENDING_QUOTAS": "batch=cpus:2", "LENDING_BORROWERS": "batch=spark"}
    batch = SharingScheduler(rig.cluster.endpoint, name="borrower", roles=(BORROWER,), capabilities=BORROWS)
    with Lender(rig, **rules) as lender, batch:
        lender.wait_offer(4.0)
        wait_revocable(batch, 3.0)
        batch.launch([rig.pod(name, revocable=True, cpus=1.0) for name in NAMES], rig.executor("borrowed"))
        lender.wait(lambda now: len(now["loans"]) == 2 and now["offer"]["cpus"] == 4.0)
        batch.release()  # else it holds what the other one is to be offered
        (asked,) = lender.lines("lending.asked")
        assert "over its quota" in asked["reason"]
        with rig.scheduler(name="other", roles=("other",), capabilities=BORROWS) as other:
            wait_revocable(other, 1.0)
            task = messages.task_info(
                "o0", [messages.scalar("cpus", 1, revocable=True)], data=base64.b64decode(rig.pod("o0")["data"])
            )
            other.launch([task], rig.executor("other", resources=[]))
            other.wait_status("o0", TERMINAL, 20)
            assert "may borrow from no owner" in lender.lines("lending.asked")[-1]["reason"]
        lender.wait(lambda now: len(now["loans"]) == 2)


def test_the_master_is_restarted(rig: Rig) -> None:
    with Lender(rig) as lender:
        lender.wait_offer(4.0)
        rig.cluster.master.kill()
        lender.wait(lambda now: not now["master"] and now["offer"]["cpus"] == 0)
        rig.cluster.master.start()
        rig.agent.restart()  # its detector knows one master only, and not that it is a new one
        lender.wait(lambda now: now["master"] and now["offer"]["cpus"] == 4.0)
