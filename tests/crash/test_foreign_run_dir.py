"""Executors with run directories of their own: none takes another one for dead, and each is reaped when it is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, end_watcher, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

REAPER_S = 5.0
"""The reaper of an executor looks at once, and has been seen to kill within 2 s."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


@pytest.fixture
def elsewhere(rig: Rig) -> Iterator[dict[str, str]]:
    """The keys of an executor that has nothing in common with the others but containerd and the networks."""
    directory = Path("/run", f"{rig.directory.name}-b")
    yield {
        "NODE_RUN_DIR": str(directory / "run"),
        "NODE_STATE_DIR": str(directory / "state"),
        "DNS_HOSTS_DIR": str(directory / "names"),
    }
    subprocess.run(["rm", "-r", directory], check=False)


def gc(rig: Rig, config: dict[str, str], *words: str) -> dict[str, Any]:
    line = [*rig.program, *rig.options(config), "gc", "--json", *words]
    done = subprocess.run(
        line, env={**os.environ, **rig.environment()}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def launched(rig: Rig, scheduler: Scheduler, executor: str, config: dict[str, str]) -> tuple[Path, dict[str, Any]]:
    """An executor with a pod of each class: its owner file, and what that says."""
    tasks = [rig.pod(f"{executor}-{kind}", revocable=kind == "revocable") for kind in ("regular", "revocable")]
    scheduler.launch(tasks, rig.executor(executor, config=config))
    for task in tasks:
        scheduler.wait_status(task["name"], "TASK_RUNNING", 60)
    run_dir = Path(config.get("NODE_RUN_DIR", rig.run_dir))
    identity = rig.agent.container_id(scheduler.framework_id, executor)
    path = run_dir / f"{identity}.owner"
    return path, json.loads(path.read_text())


def processes(document: dict[str, Any]) -> dict[int, float]:
    """The processes of an executor's pods, with their start times."""
    root = Path("/sys/fs/cgroup/unified", document["cgroup_root"].lstrip("/"), "pods")
    pids = [int(pid) for path in root.rglob("cgroup.procs") for pid in path.read_text().split()]
    return {pid: psutil.Process(pid).create_time() for pid in pids}


def test_an_executor_with_its_own_run_dir_touches_no_pod_of_another_framework(
    rig: Rig, elsewhere: dict[str, str]
) -> None:
    with rig.scheduler(name="one") as one, contextlib.ExitStack() as later:
        path, first = launched(rig, one, "first", {})
        before = processes(first)
        assert len(before) >= 2
        one.accept([offer["id"]["value"] for offer in one.wait_offers()], [], refuse_s=60)  # for the other framework
        two = later.enter_context(rig.scheduler(name="two"))
        _, second = launched(rig, two, "second", elsewhere)
        also = processes(second)
        time.sleep(REAPER_S)
        for config in ({}, elsewhere):
            done = gc(rig, config)
            assert len(done["living"]) == 2
            assert (done["executors"], done["released"], done["unknown"], done["reported"]) == ([], {}, [], [])
        assert before.items() <= processes(first).items() and also.items() <= processes(second).items()
        assert {state for task in ("first-regular", "first-revocable") for state in one.states(task)} == {
            "TASK_STARTING",
            "TASK_RUNNING",
        }
        assert path.exists()
    assert wait_for(lambda: True if not remains(rig) else None, 20), remains(rig)


@pytest.mark.parametrize("reaper", ["own", "other"])
def test_whichever_run_dir_gc_has_it_reaps_executors_of_both(rig: Rig, elsewhere: dict[str, str], reaper: str) -> None:
    """Their watchers are ended first: this is about gc."""
    with rig.scheduler(name="both") as scheduler:
        there = remains(rig)
        owners = [
            launched(rig, scheduler, "first", {}),
            launched(rig, scheduler, "second", elsewhere),
        ]
        for _, document in owners:
            end_watcher(document["pid"])
        for _, document in owners:
            os.kill(document["pid"], signal.SIGSTOP)  # so that neither reaps the other
        for _, document in owners:
            os.kill(document["pid"], signal.SIGKILL)
        for task in ("first-regular", "first-revocable", "second-regular", "second-revocable"):
            scheduler.wait_status(task, TERMINAL, 20)
        done = gc(rig, {} if reaper == "own" else elsewhere)
        assert sorted(done["executors"]) == sorted(path.stem for path, _ in owners)
        assert done["released"]["containers"] == done["released"]["attachments"] == 4
        assert done["failed"] == done["unknown"] == []
        assert remains(rig) == there
        assert not any(path.exists() for path, _ in owners)
        assert not any(Path(elsewhere["NODE_STATE_DIR"]).rglob("*pod-*"))
        assert not any(Path(elsewhere["DNS_HOSTS_DIR"]).iterdir())


def test_executors_that_die_at_the_same_time_are_reaped_without_anybody_s_help(rig: Rig) -> None:
    """Each by its own watcher, and those hold each other up no more than a survey does that comes between."""
    with rig.scheduler(name="together") as scheduler:
        there = remains(rig)
        owners = [launched(rig, scheduler, f"together{n}", {}) for n in range(3)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for _, document in owners:
                os.kill(document["pid"], number)
        rig.command("gc", "--dry-run")
        assert wait_for(lambda: True if remains(rig) == there else None, 30), remains(rig)


def test_without_its_lock_file_a_dead_executor_is_unknown_until_an_operator_says_so(rig: Rig) -> None:
    with rig.scheduler(name="unknown") as scheduler:
        there = remains(rig)
        path, document = launched(rig, scheduler, "lost", {})
        alive = processes(document)
        end_watcher(document["pid"])
        path.unlink()
        done = gc(rig, {})
        assert [each["executor"] for each in done["unknown"]] == [path.stem] and done["released"] == {}
        refused = rig.command("gc", "--assume-dead", path.stem, check=False)
        assert refused.returncode == 4 and "lives: " in refused.stderr and alive.items() <= processes(document).items()
        os.kill(document["pid"], signal.SIGKILL)
        for task in ("lost-regular", "lost-revocable"):
            scheduler.wait_status(task, TERMINAL, 20)
        left = remains(rig)
        done = gc(rig, {})
        assert [each["executor"] for each in done["unknown"]] == [path.stem] and done["released"] == {}
        assert remains(rig) == left, "nothing is proven, so nothing is touched"
        text = rig.command("gc").stdout
        assert f"not touched: executor {path.stem} may live" in text and "--assume-dead" in text
        assert rig.command("gc", "--assume-dead", "nobody", check=False).returncode != 0
        dry = gc(rig, {}, "--assume-dead", path.stem, "--dry-run")
        assert dry["dry_run"] and dry["released"]["containers"] == 2 and remains(rig) == left
        done = gc(rig, {}, "--assume-dead", path.stem)
        assert done["released"]["containers"] == 2 and done["failed"] == []
        assert wait_for(lambda: True if remains(rig) == there else None, 10), remains(rig)
