"""A whole cycle on the real Mesos: offered, borrowed, needed by the owner, returned before its first instruction."""

from __future__ import annotations

import time
from typing import Any

import pytest

from executor.cli.executors.client import Client
from tests.support.lending import GROW_S, Lender, borrow, borrower, demand, first_instruction, owner, revocable
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def test_what_the_owner_does_not_use_is_offered_and_is_back_before_its_first_instruction(rig: Rig) -> None:
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["b0", "b1", "b2", "b3"])
        batch.launch([rig.pod("web", cpus=1)], rig.executor("regular"))
        batch.wait_status("web", "TASK_RUNNING", 30)
        web = [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"]
        lender.wait(lambda now: len(now["loans"]) == 4)
        pids = {pod["name"]: rig.processes(pod) for pod in rig.pods() if pod["class"] == "revocable"}

        margins = []
        for turn in range(3):
            first = rig.directory / f"first-{turn}"
            mark, wanted = batch.mark(), 1.0
            launched_s = demand(spark, f"exec-{turn}", wanted, first)
            (gone,) = [
                batch.wait_status(name, TERMINAL, 20, start=mark) for name in wait_victims(lender, turn + 1)[turn:]
            ]
            assert (gone.state, gone.reason) == ("TASK_GONE", "REASON_CONTAINER_PREEMPTED")
            began_s = first_instruction(first)
            freed_s = lender.freed_s()[turn]
            margins.append((freed_s - launched_s, began_s - launched_s))
            assert freed_s < began_s, f"the victims lived when the owner's task began: {margins}"
            assert not any(alive(pids[gone.task_id]))
            lender.wait_offer(3.0 - turn)
        print("freed after, first instruction after (s):", margins)
        assert [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"] == web
        assert "needs its resources for task exec-0" in lender.lines("lending.asked")[0]["reason"]

        for turn in range(3):
            spark.kill(f"exec-{turn}")
        begin_s = time.monotonic()
        lender.wait_offer(4.0)
        assert time.monotonic() - begin_s >= GROW_S * 0.5
        assert faults("lending", rig.json("lending")) == []
        samples = dict(
            line.split() for line in rig.command("metrics").stdout.splitlines() if " " in line[:80] and line[0] != "#"
        )
        assert samples["mesos_pod_executor_lender_up"] == "1"
        assert float(samples["mesos_pod_executor_lending_offered_cpus"]) == 4
        shown = rig.json("lending", "history")
        assert faults("lending-history", shown) == []
        assert len(shown["returned"]) == 3 and all(0 < each["took_ms"] < 5000 for each in shown["returned"])
        assert shown["took"]["count"] == 3


def wait_victims(lender: Lender, count: int) -> list[str]:
    """The tasks that were asked back, in their order."""
    found = wait_for(lambda: asked if len(asked := lender.lines("lending.asked")) >= count else None, 20, 0.01)
    assert found is not None, lender.log_path.read_text()
    return [each["task"] for each in found]


def alive(processes: list[tuple[int, float]]) -> list[Any]:
    import psutil

    return [pid for pid, began in processes if psutil.pid_exists(pid) and psutil.Process(pid).create_time() == began]


def test_a_checkpoint_makes_the_work_that_would_be_lost_less(rig: Rig) -> None:
    with Lender(rig) as lender, borrower(rig) as batch:
        lender.wait_offer(4.0)
        saves = ("sh", "-c", "while :; do date > /work/state; sleep 0.5; done")
        mount = {"volumeMounts": [{"name": "work", "mountPath": "/work"}]}
        volumes = {"volumes": [{"name": "work", "emptyDir": {}}]}
        metadata = {"annotations": {"mesos-pod-executor/checkpoint": "work/state"}}
        borrow(rig, batch, ["saves"], command=saves, container=mount, spec=volumes, metadata=metadata)
        borrow(rig, batch, ["plain"])
        time.sleep(4)
        client = Client(rig.run_dir / f"{rig.agent.container_id(batch.framework_id, 'borrowed')}.sock")
        lost = {pod["tasks"][0]: pod["lost_work_s"] for pod in client.get("/v1/candidates")["candidates"]}
        assert lost["saves"] < 2 and lost["plain"] >= 4


def test_only_as_much_as_is_short_returns_and_the_lowest_priority_first(rig: Rig) -> None:
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        lender.wait_offer(4.0)
        borrow(rig, batch, ["valued"], 2.0, spec={"priority": 100})
        borrow(rig, batch, ["cheap"], 1.0, spec={"priority": 1})
        borrow(rig, batch, ["cheaper"], 1.0)
        lender.wait(lambda now: len(now["loans"]) == 3)
        time.sleep(1)  # the executor was asked about them
        demand(spark, "exec", 2.0, rig.directory / "first")
        assert sorted(wait_victims(lender, 2)) == ["cheap", "cheaper"]
        for name in ("cheap", "cheaper"):
            batch.wait_status(name, TERMINAL, 20)
        first_instruction(rig.directory / "first")
        lender.wait(lambda now: [each["task"] for each in now["loans"]] == ["valued"])
        assert revocable(batch.offers()) == 0
        shown = lender.status()
        assert shown["shares"] == [{"owner": "spark", "borrower": "batch", "cpus": 2.0, "mem_bytes": 0}]
