"""Requests that meet other requests, launches, hooks and crashes: each gets what it asked for, and the truth."""

from __future__ import annotations

import json
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, STUBBORN, events, how, regular, revived, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

AFTERWARDS_S = 0.5
"""How long the revoked set is looked at after the receipt."""
HANGING = {"lifecycle": {"preStop": {"exec": {"command": ["sleep", "1000"]}}}}


def soft(identity: str, **want: Any) -> bytes:
    return json.dumps({"revoke": {"id": identity, "grace": "60s", **want}}).encode()


def receipt_of(scheduler: Scheduler, identity: str, state: str = "done") -> dict[str, Any]:
    wanted = f'"id": "{identity}"'.encode(), f'"state": "{state}"'.encode()
    message = scheduler.wait_message(lambda data: all(each in data for each in wanted))
    return dict(json.loads(message)["revocation"])


def tasks_of(receipt: dict[str, Any]) -> set[str]:
    return {task for victim in receipt["victims"] for task in victim["tasks"]}


def wait_executed(rig: Rig) -> None:
    """Until each pod's first process is its own program: runc, which was it before, obeys every SIGTERM."""
    pids = [container["pid"] for pod in rig.pods() for container in pod["containers"]]
    assert wait_for(lambda: all(psutil.Process(pid).name() in ("sh", "httpd") for pid in pids) or None, 10)


def test_a_hard_request_overtakes_a_soft_one_and_takes_along_what_is_being_launched(
    rig: Rig, scheduler: Scheduler
) -> None:
    agent = run(rig, scheduler, rig.pod("web"), *(rig.pod(f"old{n}", revocable=True, command=STUBBORN) for n in "ab"))
    before = regular(rig)
    wait_executed(rig)
    scheduler.message(agent, "mixed", soft("soft", select={"all": True}))
    for n in "ab":
        scheduler.wait_status(f"old{n}", "TASK_KILLING")
    names = [f"new{n}" for n in range(10)]
    scheduler.launch([rig.pod(name, revocable=True, cpus=0.05, command=STUBBORN) for name in names], rig.executor())
    for name in names:
        scheduler.wait_status(name, "TASK_STARTING", 30)
    hard = rig.json("revoke", "--all", "--id", "hard")
    assert revived(rig, hard, AFTERWARDS_S) == []
    assert hard["state"] == "done" and tasks_of(hard) == {"olda", "oldb", *names}
    assert {victim["outcome"] for victim in hard["victims"]} == {"killed"}
    overtaken = receipt_of(scheduler, "soft")
    assert tasks_of(overtaken) == {"olda", "oldb"} and overtaken["time_to_free_ms"] < 60_000
    assert {victim["outcome"] for victim in overtaken["victims"]} == {"killed"}, "not one ended by itself"
    for name in ("olda", "oldb", *names):
        status = scheduler.wait_status(name, "TASK_GONE", 30)
        labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
        assert how(status) == PREEMPTED
        assert labels["revocation"] == ("soft" if name.startswith("old") else "hard"), "who asked first is the cause"
    assert regular(rig) == before


def test_two_amounts_are_two_amounts_and_the_last_one_hastens_what_is_left(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(
        rig,
        scheduler,
        rig.pod("web"),
        *(rig.pod(f"b{n}", revocable=True, cpus=1, command=STUBBORN, spec={"priority": n}) for n in range(3)),
    )
    wait_executed(rig)
    scheduler.message(agent, "mixed", soft("first", reclaim={"cpus": 1}))
    scheduler.wait_status("b0", "TASK_KILLING")
    assert tasks_of(rig.json("revoke", "--reclaim-cpus", "1", "--id", "second")) == {"b1"}
    assert tasks_of(rig.json("revoke", "--reclaim-cpus", "2", "--id", "third")) == {"b0", "b2"}
    assert tasks_of(receipt_of(scheduler, "first")) == {"b0"}


def test_the_same_request_by_message_and_by_command_is_one(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("a", revocable=True, command=STUBBORN))
    wait_executed(rig)
    request = {"revoke": {"id": "one", "select": {"all": True}, "grace": "2s"}}
    scheduler.message(agent, "mixed", json.dumps(request).encode())
    scheduler.wait_status("a", "TASK_KILLING")
    by_command = rig.json("revoke", "--all", "--grace", "2s", "--id", "one")
    assert by_command == receipt_of(scheduler, "one")
    run(rig, scheduler, rig.pod("b", revocable=True))
    heard = scheduler.mark()
    scheduler.message(agent, "mixed", json.dumps(request).encode())
    assert json.loads(scheduler.wait_message(start=heard))["revocation"] == by_command, "sent again, answered again"
    assert len(events(rig, "revocation.started")) == 1 and len(events(rig, "revocation.receipt")) == 1
    other = rig.command("revoke", "--task", "b", "--id", "one", check=False)
    assert other.returncode == 4 and "another request" in other.stderr
    assert {pod["name"] for pod in rig.pods()} == {"web", "b"}


def test_a_deadline_bounds_the_grace_of_those_whose_labels_match(rig: Rig, scheduler: Scheduler) -> None:
    low, high = ({"labels": {"app": "x", "tier": tier}} for tier in ("low", "high"))
    run(
        rig,
        scheduler,
        rig.pod("web", metadata=low),
        rig.pod("low", revocable=True, command=STUBBORN, metadata=low),
        rig.pod("high", revocable=True, command=STUBBORN, metadata=high),
    )
    wait_executed(rig)
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    bounds = ("--grace", "60s", "--deadline", "700ms")
    receipt = rig.json("revoke", "--label", "app=x", "--label", "tier=low", *bounds)
    (victim,) = receipt["victims"]
    assert victim["tasks"] == ["low"] and victim["outcome"] == "killed" and 600 < victim["ms"] < 30_000
    status = scheduler.wait_status("low", "TASK_GONE", 30)
    labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
    assert labels["revocation.grace_s"] == "0.7"
    after = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    assert {name: after[name] for name in ("web", "high")} == {name: before[name] for name in ("web", "high")}


@pytest.mark.parametrize("grace", ["20ms", "60ms"])
def test_a_hook_that_is_just_being_started_does_not_outlive_its_pod(rig: Rig, scheduler: Scheduler, grace: str) -> None:
    """It takes some 50 ms until a hook runs; the end of the grace comes before that, and in its middle."""
    names = [f"hooked{n}" for n in range(6)]
    run(rig, scheduler, rig.pod("web"), *(rig.pod(name, revocable=True, container=HANGING) for name in names))
    before = regular(rig)
    receipt = rig.json("revoke", "--all", "--grace", grace)
    assert revived(rig, receipt, AFTERWARDS_S) == []
    assert receipt["state"] == "done" and {victim["outcome"] for victim in receipt["victims"]} == {"killed"}
    for name in names:
        assert how(scheduler.wait_status(name, "TASK_GONE", 30)) == PREEMPTED
    assert regular(rig) == before and events(rig, "pod.leaked") == []


def test_a_regular_pod_that_crashes_meanwhile_was_not_touched(rig: Rig, scheduler: Scheduler) -> None:
    again = {"restartPolicy": "Always"}
    crashing = rig.pod("web", command=("sh", "-c", "sleep 1; exit 3"), spec=again)
    run(rig, scheduler, crashing, rig.pod("db"), rig.pod("batch", revocable=True, command=STUBBORN))
    receipt = rig.json("revoke", "--all", "--grace", "2500ms")
    assert "a container exited" in rig.command("why", "web").stdout
    assert receipt["regular"]["unchanged"] and receipt["regular"]["ended_meanwhile"], "it is named all the same"
    assert events(rig, "revocation.regular_changed") == []
