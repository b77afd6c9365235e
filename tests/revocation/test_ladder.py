"""The rungs before the kill: the notice in the pod, its CPU, the preStop hook; and what the receipt tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import STUBBORN, events, regular, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

READER = "trap 'cat /run/mesos-pod-executor/notice.json; exit 0' TERM; ls -a /run/mesos-pod-executor; sleep 1000 & wait"
HOLDS_20_MB = "trap '' TERM; (head -c 20000000 /dev/zero; sleep 1000) | tail -c 20000000"
HOOKED = {"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", "sleep 0.3; echo hooked > /proc/1/fd/1"]}}}}
HANGING = {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "1000"]}}}}
ON_TERM = ("sh", "-c", "trap 'echo told; exit 0' TERM; sleep 1000 & wait")


def output(rig: Rig, scheduler: Scheduler, task: str) -> str:
    (path,) = rig.agent.sandbox(scheduler.framework_id, "mixed").glob(f"pods/{pod_id(rig, task)}/app.stdout")
    return str(path.read_text())


def pod_id(rig: Rig, task: str) -> str:
    return next(str(event["pod"]) for event in events(rig, "pod.accepted") if event["task"] == task)


def by_task(receipt: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {victim["tasks"][0]: victim for victim in receipt["victims"]}


def test_each_rung_is_taken_and_told(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("reader", revocable=True, command=("sh", "-c", READER)))
    run(rig, scheduler, rig.pod("stubborn", revocable=True, command=("sh", "-c", HOLDS_20_MB), cpus=0.5))
    assert wait_for(lambda: ".." in output(rig, scheduler, "reader") or None, 20)
    before = regular(rig)
    receipt = rig.json("revoke", "--all", "--grace", "2s", "--reason", "spark is back", "--id", "rungs")
    assert [step["step"] for step in receipt["steps"]] == ["proof", "notice", "cpu", "terminate", "kill", "dead"]
    assert all(0 <= step["took_ms"] <= step["ms"] and step["effect"] for step in receipt["steps"])
    victims = by_task(receipt)
    assert {task: (victim["outcome"], victim["notified"]) for task, victim in victims.items()} == {
        "reader": ("exited", True),
        "stubborn": ("killed", True),
    }
    assert victims["stubborn"]["cpus"] == 0.5 and 0 < victims["stubborn"]["used_cpus"] < 0.5
    assert victims["stubborn"]["mem_bytes"] > 15 << 20
    assert receipt["freed"]["mem_bytes"] == sum(victim["mem_bytes"] for victim in victims.values())
    assert receipt["left"]["pods"] == 0 and receipt["left"]["cpus"] == 0
    assert receipt["regular"]["unchanged"] and regular(rig) == before
    assert events(rig, "revocation.receipt")[-1]["revocation"] == "rungs"


def test_memory_that_stays_in_use_is_not_called_free(rig: Rig, scheduler: Scheduler) -> None:
    """The files that a pod wrote stay in memory for a while, charged to the revocable class."""
    write = ("sh", "-c", "head -c 30000000 /dev/zero > /written; echo ready; trap 'exit 0' TERM; sleep 1000 & wait")
    hold = ("sh", "-c", HOLDS_20_MB)
    run(rig, scheduler, rig.pod("web"), rig.pod("files", revocable=True, mem=64, command=write))
    run(rig, scheduler, rig.pod("heap", revocable=True, mem=64, command=hold))
    assert wait_for(lambda: "ready" in output(rig, scheduler, "files") or None, 20)
    victims = by_task(rig.json("revoke", "--all", "--grace", "500ms"))
    for task, least, most in (("files", 0, 10 << 20), ("heap", 15 << 20, 40 << 20)):
        status = scheduler.wait_status(task, "TASK_GONE", 20)
        labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
        assert least <= victims[task]["mem_bytes"] < most
        assert least <= int(labels["revocation.freed.mem_bytes"]) < most


def test_a_pod_reads_its_notice_when_it_is_asked_to_end(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("reader", revocable=True, command=("sh", "-c", READER)))
    assert wait_for(lambda: ".." in output(rig, scheduler, "reader") or None, 20)
    rig.command("revoke", "--all", "--grace", "2s", "--reason", "spark is back", "--id", "told")
    scheduler.wait_status("reader", "TASK_GONE")
    listing, notice = output(rig, scheduler, "reader").split("{", 1)
    assert listing.split() == [".", ".."], "nothing is there before"
    document = json.loads("{" + notice)
    assert (document["id"], document["reason"], document["grace_s"]) == ("told", "spark is back", 2.0)
    assert document["deadline"].endswith("Z")


def test_without_a_grace_nobody_is_told(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("reader", revocable=True, command=("sh", "-c", READER)))
    receipt = rig.json("revoke", "--all")
    assert [step["step"] for step in receipt["steps"]] == ["proof", "kill", "dead"]
    assert not by_task(receipt)["reader"]["notified"]


def test_its_cpu_goes_to_others_during_the_grace(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("stubborn", revocable=True, command=STUBBORN, cpus=4))
    (pod,) = [pod for pod in rig.pods() if pod["class"] == "revocable"]
    shares = Path("/sys/fs/cgroup/cpu") / pod["cgroup"].lstrip("/") / "cpu.shares"
    assert int(shares.read_text()) == 4096
    rig.command("revoke", "--all", "--grace", "30s", "--no-wait")
    scheduler.wait_status("stubborn", "TASK_KILLING")
    assert int(shares.read_text()) == 10
    rig.command("revoke", "--all")


@pytest.mark.parametrize("how", ["kill", "revoke", "shutdown"])
def test_a_pre_stop_hook_runs_before_the_signal_whoever_stops_the_pod(rig: Rig, scheduler: Scheduler, how: str) -> None:
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("pod", revocable=True, command=ON_TERM, container=HOOKED))
    name = pod_id(rig, "pod")
    if how == "kill":
        scheduler.kill("pod")
    elif how == "revoke":
        assert by_task(rig.json("revoke", "--all", "--grace", "3s"))["pod"]["outcome"] == "exited"
    else:
        scheduler.shutdown_executor(agent, "mixed")
    scheduler.wait_status("pod", ("TASK_KILLED", "TASK_GONE"), 20)
    (path,) = rig.agent.sandbox(scheduler.framework_id, "mixed").glob(f"pods/{name}/app.stdout")
    assert path.read_text().split() == ["hooked", "told"]


def test_a_hook_that_hangs_is_bounded_by_the_grace(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("pod", revocable=True, container=HANGING))
    victim = by_task(rig.json("revoke", "--all", "--grace", "1s"))["pod"]
    assert victim["outcome"] == "killed" and 900 < victim["ms"] < 4000
