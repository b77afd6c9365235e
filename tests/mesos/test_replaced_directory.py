"""Somebody who may write in the Mesos sandbox puts a link where a pod's directory was: nothing outside changes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SCRIPT = "n=0; while :; do n=$((n+1)); echo line $n; echo x > /data/$n; sleep 0.01; done"
VOLUME = {"name": "data", "emptyDir": {}}
END = {"pod.logs_removed", "pod.logs_kept"}


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    config = {
        "PODS_LOG_MAX_BYTES": "2000",
        "PODS_LOG_FILES": "2",
        "RETENTION_MOST_PODS": "0",
        "RETENTION_LEAST_PODS": "0",
    }
    with Rig(config=config) as node:
        yield node


def fill(directory: Path) -> None:
    """With everything that the executor looks for in a pod's directory, and removes in the end."""
    for name in ("notice", "volumes/data"):
        (directory / name).mkdir(parents=True)
    names = ("hosts", "hostname", "resolv.conf", "app.stdout", "app.stdout.1", "app.stderr", ".app.stdout.moved")
    for name in (*names, "notice/.notice.json", "volumes/data/file"):
        (directory / name).write_text("not the pod's\n")


def content(directory: Path) -> dict[str, str]:
    return {str(path): path.read_text() if path.is_file() else "" for path in sorted(directory.rglob("*"))}


def replaced(pod: Path, which: str, outside: Path) -> None:
    """As an executor's task could, which Mesos starts in this sandbox."""
    targets = {
        "pod": {pod: outside},
        "pods": {pod.parent: outside.parent},
        "below": {pod / "notice": outside / "notice", pod / "volumes": outside / "volumes"},
    }
    for path, target in targets[which].items():
        path.rename(path.with_name(f"moved-{path.name}"))
        path.symlink_to(target)


@pytest.mark.parametrize("which", ["pod", "pods", "below"])
def test_a_link_in_place_of_a_directory_leads_nowhere(
    rig: Rig, scheduler: Scheduler, tmp_path: Path, which: str
) -> None:
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    pod_task: dict[str, Any] = rig.pod(
        which, revocable=True, command=("sh", "-c", SCRIPT), container=mounts, spec={"volumes": [VOLUME]}
    )
    scheduler.launch([pod_task, rig.pod(f"{which}-keeper")], rig.executor(which))
    scheduler.wait_status(which, "TASK_RUNNING", 30)
    (log,) = [Path(each["containers"][0]["log"]["stdout"]) for each in rig.pods() if each["name"] == which]
    assert wait_for(lambda: log.with_name(f"{log.name}.1").exists() or None, 10), "it is rotated"
    outside = tmp_path / "outside" / log.parent.name
    fill(outside)
    before = content(tmp_path)
    replaced(log.parent, which, outside)
    time.sleep(1)  # several rotations
    rig.command("revoke", "--all", "--grace", "1s")
    scheduler.wait_status(which, TERMINAL, 30)
    assert wait_for(lambda: END & codes(rig, which, scheduler) or None, 20)
    assert content(tmp_path) == before
    assert "pod.defect" not in codes(rig, which, scheduler)
    scheduler.kill(f"{which}-keeper", grace_s=0)
    scheduler.wait_status(f"{which}-keeper", "TASK_KILLED", 30)


def test_a_container_is_not_started_again_with_a_link_among_its_files(
    rig: Rig, scheduler: Scheduler, tmp_path: Path
) -> None:
    task = rig.pod("again", command=("sh", "-c", "sleep 1000"), spec={"restartPolicy": "Always"})
    scheduler.launch([task], rig.executor("again"))
    scheduler.wait_status("again", "TASK_RUNNING", 30)
    (container,) = [each["containers"][0] for each in rig.pods() if each["name"] == "again"]
    hosts = Path(container["log"]["stdout"]).with_name("hosts")
    hosts.unlink()
    hosts.symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("the node's")
    os.kill(container["pid"], signal.SIGKILL)
    assert wait_for(lambda: "pod.start_failed" in codes(rig, "again", scheduler) or None, 30)
    (failed, *_) = [each for each in rig.journal("again", scheduler) if each["code"] == "pod.start_failed"]
    assert failed["subject"] == str(hosts) and "symbolic links" in failed["error"], failed
    scheduler.kill("again", grace_s=0)
    scheduler.wait_status("again", "TASK_KILLED", 30)


def codes(rig: Rig, executor: str, scheduler: Scheduler) -> set[str]:
    return {event["code"] for event in rig.journal(executor, scheduler)}
