"""What an operator does to pods of a real executor: kill, signals, rm; and what `describe` and `stats` show of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for
from tests.support.schema import faults

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HEARS = "trap 'echo heard' HUP; trap 'exit 0' TERM; echo ready; while :; do sleep 1000 & wait; done"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    names = ("keeps", "hears", "goes", "stays")
    with rig.scheduler() as framework:
        tasks = [rig.pod(name, command=("sh", "-c", HEARS), metadata={"labels": {"app": name}}) for name in names]
        fails = rig.pod("fails", command=("sh", "-c", "echo 'FATAL: no database' >&2; exit 5"))
        framework.launch([*tasks, fails], rig.executor())
        for name in names:
            framework.wait_status(name, "TASK_RUNNING", 30)
            assert wait_for(partial(has_written, rig, name, "ready"), 20)
        framework.wait_status("fails", "TASK_FAILED", 30)
        yield framework


def has_written(rig: Rig, name: str, word: str) -> bool | None:
    return word in rig.command("logs", name).stdout or None


def test_a_signal_reaches_the_container_and_ends_nothing(rig: Rig, scheduler: Scheduler) -> None:
    document = rig.json("kill", "hears", "-s", "HUP", "-c", "app")
    assert faults("kill", document) == [] and document["pods"][0]["signalled"] == ["app"]
    assert wait_for(partial(has_written, rig, "hears", "heard"), 20)
    assert scheduler.states("hears")[-1] == "TASK_RUNNING"
    assert rig.command("kill", "hears", "-s", "HUP", "-c", "none", check=False).returncode == 3


def test_a_kill_names_its_actor_to_the_framework_and_in_why(rig: Rig, scheduler: Scheduler) -> None:
    document = rig.json("kill", "goes", "--grace", "5s", "--reason", "leaks memory")
    assert faults("kill", document) == []
    assert document["pods"][0]["outcome"]["state"] == "TASK_KILLED"
    status = scheduler.wait_status("goes", "TASK_KILLED", 20)
    assert "killed on the node by uid 0, process" in status.message and status.message.endswith("leaks memory")
    what, why, whom, *_ = rig.command("why", "goes").stdout.splitlines()
    assert "TASK_KILLED" in what and "leaks memory" in why and "uid 0, process" in whom and "kill goes" in whom
    assert rig.command("kill", "goes", check=False).returncode == 4, "it has ended"


def test_only_ended_pods_are_removed_with_their_logs(rig: Rig, scheduler: Scheduler) -> None:
    del scheduler
    assert rig.command("rm", "stays", check=False).returncode == 4
    found = {pod["name"]: pod for pod in rig.json("ps", "-a", "-f", "status=ended")["pods"]}
    log = Path(found["fails"]["containers"][0]["log"]["stderr"])
    assert log.exists()
    described = rig.command("describe", "fails").stdout
    assert "FATAL: no database" in described and "TASK_FAILED" in described and "last exit" in described
    follower = subprocess.Popen(
        [*rig.program, "logs", "stays", "-f"], env={**os.environ, **rig.environment()}, stdout=subprocess.DEVNULL
    )
    try:
        document = rig.json("rm", "fails")
    finally:
        follower.terminate()
        follower.wait()
    assert faults("rm", document) == [] and document["removed"] == [found["fails"]["pod"]]
    assert not log.parent.exists()
    assert rig.command("inspect", "fails", check=False).returncode == 3
    assert rig.command("why", "fails").stdout.startswith("WHAT        ended: TASK_FAILED"), "the journal keeps it"
    rig.command("rm", "--all")
    assert rig.json("ps", "-a", "-f", "status=ended")["pods"] == []
    assert {pod["name"] for pod in rig.json("ps")["pods"]} == {"keeps", "hears", "stays"}


def test_documents_of_several_pods(rig: Rig, scheduler: Scheduler) -> None:
    del scheduler
    assert [pod["name"] for pod in rig.json("inspect", "keeps", "stays")["pods"]] == ["keeps", "stays"]
    assert rig.command("inspect", "keeps", "-o", "jsonpath={.labels.app}").stdout == "keeps\n"
    described = rig.json("describe", "keeps", "stays")
    assert faults("describe", described) == []
    assert described["pods"][0]["events"][0]["code"] == "pod.accepted"


def test_stats(rig: Rig, scheduler: Scheduler) -> None:
    del scheduler
    document = rig.json("stats", "keeps", "-l", "app")
    assert faults("stats", document) == [] and [pod["name"] for pod in document["pods"]] == ["keeps"]
    head, *rows = rig.command("stats").stdout.splitlines()
    assert "MEM USAGE / LIMIT" in head and len(rows) == 3
    assert json.loads(rig.command("stats", "-o", "json").stdout)["pods"][0]["cpus_used"] is not None


def test_the_end_of_the_last_pod_is_told_although_its_executor_ends_with_it(rig: Rig, scheduler: Scheduler) -> None:
    """An executor without cpus of its own ends with its last pod, while `kill` and `logs -f` still ask it."""
    scheduler.launch([rig.pod("alone", command=("sh", "-c", HEARS))], rig.executor("ends"))
    scheduler.wait_status("alone", "TASK_RUNNING", 30)
    assert wait_for(partial(has_written, rig, "alone", "ready"), 20)
    follower = subprocess.Popen(
        [*rig.program, "logs", "alone", "-f"],
        env={**os.environ, **rig.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert follower.stdout is not None and follower.stdout.readline() == "ready\n"
        done = rig.command("kill", "alone", "--grace", "2s", check=False)
        assert done.returncode == 0 and done.stdout.split()[1] == "TASK_KILLED", done.stderr
        _, complaint = follower.communicate(timeout=40)
    finally:
        follower.kill()
    assert (follower.returncode, complaint) == (0, "")
    nothing = rig.command("--executor", "mixed", "rm", "--all")
    assert nothing.stdout == "" and "nothing to remove" in nothing.stderr
