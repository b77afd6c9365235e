"""What an operator asks before and after: `rehearse` and `why`, on the real executor and on what it left."""

from __future__ import annotations

import json

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import STUBBORN, regular, run
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]


def test_a_rehearsal_ends_nothing_and_tells_what_was_measured(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"), *(rig.pod(f"b{n}", revocable=True, cpus=0.5) for n in range(3)))
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    found = rig.json("rehearse", "--reclaim-cpus", "800m", "--exercise")
    assert len(found["would"]["victims"]) == 2 and found["would"]["freed"]["cpus"] == 1.0
    assert found["history"]["revocations"]["count"] == 0
    exercise = found["exercise"]
    assert exercise["pods"] == 2 and exercise["processes"] >= 4
    assert exercise["all_stopped"] and exercise["regular_untouched"] and exercise["paused_ms"] < 2000
    assert {pod["name"]: rig.processes(pod) for pod in rig.pods()} == before
    rig.command("revoke", "--task", "b0", "--task", "b1")
    history = rig.json("rehearse", "--all")["history"]
    assert history["revocations"]["count"] == 1 and history["victims"]["count"] == 2
    assert 0 < history["victims"]["p50_ms"] <= history["revocations"]["p99_ms"]
    assert "of 1" in rig.command("rehearse", "--all").stdout
    done = rig.command("rehearse", "--task", "web", check=False)
    assert done.returncode == 4 and "regular" in done.stderr


def test_an_amount_is_taken_back_from_the_least_set(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web", mem=64), *(rig.pod(f"b{n}", revocable=True, mem=32) for n in range(3)))
    before = regular(rig)
    receipt = rig.json("revoke", "--reclaim-mem", "40Mi")
    assert len(receipt["victims"]) == 2 and regular(rig) == before
    assert receipt["left"]["pods"] == 1
    assert rig.command("revoke", "--reclaim-cpus", "64", check=False).returncode == 4


def test_why_tells_the_story_of_a_task_also_after_the_executors_end(rig: Rig, scheduler: Scheduler) -> None:
    agent = run(rig, scheduler, rig.pod("web"), rig.pod("other", revocable=True))
    run(rig, scheduler, rig.pod("batch", revocable=True, command=STUBBORN))
    rig.command("revoke", "--task", "batch", "--grace", "500ms", "--reason", "spark is back", "--id", "r-why")
    rig.command("revoke", "--task", "other", "--id", "r-other")
    scheduler.wait_status("batch", "TASK_GONE")
    events = rig.json("why", "batch")["events"]
    codes = [event["code"] for event in events]
    for code in ("pod.accepted", "pod.running", "revocation.started", "pod.stopping", "revocation.victim"):
        assert code in codes, codes
    assert codes.index("pod.running") < codes.index("revocation.started") < codes.index("revocation.victim")
    assert {event["revocation"] for event in events if "revocation" in event} == {"r-why"}
    assert {event["task"] for event in events if "task" in event} == {"batch"}
    assert "spark is back" in rig.command("why", "batch").stdout
    scheduler.shutdown_executor(agent, "mixed")
    scheduler.wait_status("web", "TASK_KILLED", 20)
    sandbox = rig.agent.sandbox(scheduler.framework_id, "mixed")
    after = json.loads(rig.command("why", "batch", "--journal", str(sandbox), "--json").stdout)["events"]
    assert [event["code"] for event in after][: len(codes)] == codes
    assert "pod.ended" in [event["code"] for event in after]
