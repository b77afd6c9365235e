"""Revocation on the real agent: exactly the revocable pods end, the framework is told so, and it is proven."""

from __future__ import annotations

import json
import time
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import DAEMONS, revived
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

AFTERWARDS_S = 0.5
PREEMPTED = ("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "SOURCE_EXECUTOR")
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")


def run(rig: Rig, scheduler: Scheduler, tasks: list[dict[str, Any]], role: str = "*") -> str:
    agent = scheduler.launch(tasks, rig.executor(), role=role)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)
    return agent


def regular(rig: Rig) -> dict[str, list[tuple[int, float]]]:
    return {pod["name"]: rig.processes(pod) for pod in rig.pods() if pod["class"] == "regular"}


def how(scheduler: Scheduler, task: str) -> tuple[str, str, str]:
    status = scheduler.wait_status(task, ("TASK_GONE", "TASK_LOST"), 20)
    return status.state, status.reason, status.source


def test_revoke_all_ends_the_revocable_pods_and_no_other(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod(f"web{n}") for n in range(3)])
    run(
        rig,
        scheduler,
        [rig.pod("stubborn", revocable=True, command=STUBBORN), rig.pod("daemons", revocable=True, command=DAEMONS)],
    )
    before = regular(rig)
    victims = [pid for pod in rig.pods() if pod["class"] == "revocable" for pid, _ in rig.processes(pod)]
    receipt = rig.json("revoke", "--all", "--reason", "spark is back")
    assert not [pid for pid in victims if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert regular(rig) == before
    for task in ("stubborn", "daemons"):
        assert how(scheduler, task) == PREEMPTED
    status = scheduler.wait_status("daemons", "TASK_GONE")
    labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
    assert labels["revocation"] == receipt["id"]
    assert labels["revocation.reason"] == "spark is back"
    assert labels["revocation.freed.cpus"] == "0.1"
    assert receipt["state"] == "done"
    assert {victim["outcome"] for victim in receipt["victims"]} == {"killed"}
    assert receipt["regular"] == {
        "pods": 3,
        "processes": sum(map(len, before.values())),
        "unchanged": True,
        "changed": [],
        "ended_meanwhile": [],
    }
    assert receipt["freed"]["cpus"] == pytest.approx(0.2) and receipt["freed"]["mem_bytes"] > 0


def test_the_framework_asks_by_message_and_gets_a_receipt(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod("web")])
    agent = run(rig, scheduler, [rig.pod("batch", revocable=True)])
    before = regular(rig)
    request = {"revoke": {"id": "spark-7", "select": {"tasks": ["batch"]}, "reason": "stage 3"}}
    scheduler.message(agent, "mixed", json.dumps(request).encode())
    receipt = json.loads(scheduler.wait_message())["revocation"]
    assert (receipt["id"], receipt["reason"], receipt["state"]) == ("spark-7", "stage 3", "done")
    assert [victim["tasks"] for victim in receipt["victims"]] == [["batch"]]
    assert how(scheduler, "batch") == PREEMPTED
    assert regular(rig) == before


def test_a_grace_lets_a_pod_end_by_itself_and_is_a_limit_for_the_stubborn(rig: Rig, scheduler: Scheduler) -> None:
    long = {"terminationGracePeriodSeconds": 600}
    run(
        rig,
        scheduler,
        [rig.pod("kind", revocable=True), rig.pod("stubborn", revocable=True, command=STUBBORN, spec=long)],
    )
    receipt = rig.json("revoke", "--all", "--grace", "2s")
    outcomes = {victim["tasks"][0]: victim for victim in receipt["victims"]}
    assert outcomes["kind"]["outcome"] == "exited" and outcomes["kind"]["ms"] < 1500
    assert outcomes["stubborn"]["outcome"] == "killed" and 1900 < outcomes["stubborn"]["ms"] < 4000
    for task in ("kind", "stubborn"):
        assert how(scheduler, task) == PREEMPTED


def test_a_harder_revocation_overtakes_a_softer_one(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod("stubborn", revocable=True, command=STUBBORN)])
    agent = scheduler.offers()[0]["agent_id"]["value"]
    soft = {"revoke": {"id": "soft", "select": {"all": True}, "grace": 300}}
    scheduler.message(agent, "mixed", json.dumps(soft).encode())
    scheduler.wait_status("stubborn", "TASK_KILLING")
    begin = time.monotonic()
    hard = rig.json("revoke", "--all", "--id", "hard")
    assert hard["state"] == "done" and time.monotonic() - begin < 10
    assert json.loads(scheduler.wait_message(lambda data: b'"soft"' in data))["revocation"]["state"] == "done"


def test_a_repeated_id_is_the_same_revocation(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod("web"), rig.pod("a", revocable=True)])
    first = rig.json("revoke", "--all", "--id", "twice")
    run(rig, scheduler, [rig.pod("b", revocable=True)])
    assert rig.json("revoke", "--all", "--id", "twice") == first
    assert {pod["name"] for pod in rig.pods()} == {"web", "b"}


def test_by_role_with_its_subtree(rig: Rig) -> None:
    with rig.scheduler(roles=("eng/dev",)) as scheduler:
        run(rig, scheduler, [rig.pod("web"), rig.pod("dev", revocable=True)], role="eng/dev")
        (dev,) = [pod for pod in rig.pods() if pod["name"] == "dev"]
        assert "/pods/revocable/eng/dev/pod-" in dev["cgroup"]
        for other in ("*", "engine", "eng/dev/deeper"):
            assert rig.json("revoke", "--role", other)["victims"] == []
        receipt = rig.json("revoke", "--role", "eng")
        assert [victim["tasks"] for victim in receipt["victims"]] == [["dev"]]
        assert how(scheduler, "dev") == PREEMPTED
        assert "web" in regular(rig)
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_a_regular_task_cannot_be_revoked(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod("web")])
    before = regular(rig)
    done = rig.command("revoke", "--task", "web", check=False)
    assert done.returncode == 4 and "regular" in done.stderr
    assert regular(rig) == before


def test_a_dry_run_touches_nothing(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, [rig.pod("web"), rig.pod("batch", revocable=True)])
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    receipt = rig.json("revoke", "--all", "--dry-run")
    assert receipt["state"] == "dry-run"
    assert [victim["outcome"] for victim in receipt["victims"]] == ["would-end"]
    assert {pod["name"]: rig.processes(pod) for pod in rig.pods()} == before


@pytest.mark.parametrize("delay_s", [0.0, 0.05, 0.15, 0.3, 0.6])
def test_a_pod_that_is_being_launched_does_not_escape(rig: Rig, scheduler: Scheduler, delay_s: float) -> None:
    run(rig, scheduler, [rig.pod("web")])
    before = regular(rig)
    names = [f"b{n}" for n in range(20)]
    scheduler.launch([rig.pod(name, revocable=True, cpus=0.05) for name in names], rig.executor())
    scheduler.wait_status("b0", "TASK_STARTING", 30)
    time.sleep(delay_s)
    receipt = rig.json("revoke", "--all")
    assert revived(rig, receipt, AFTERWARDS_S) == []
    assert receipt["state"] == "done"
    for victim in receipt["victims"]:
        assert how(scheduler, victim["tasks"][0]) == PREEMPTED
    assert regular(rig) == before
    survivors = {pod["name"] for pod in rig.pods() if pod["state"] != "tearing-down"} - {"web"}
    assert survivors.isdisjoint(task for victim in receipt["victims"] for task in victim["tasks"])
