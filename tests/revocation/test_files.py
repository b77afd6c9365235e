"""What pods leave on the disk: removed whatever it is, and no launch waits for it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import events, run
from tests.support.rig import SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

VOLUME: dict[str, Any] = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT: dict[str, Any] = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
PODS, FILES = 8, 20_000


def volume(rig: Rig, scheduler: Scheduler, name: str) -> Path:
    (pod,) = [pod["pod"] for pod in rig.pods() if pod["name"] == name]
    return Path(rig.agent.sandbox(scheduler.framework_id, "mixed"), "pods", pod, "volumes")


def fill(directory: Path) -> None:
    directory.mkdir()
    fd = os.open(directory, os.O_RDONLY)
    for n in range(FILES):
        os.close(os.open(f"{n}", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def launch_s(rig: Rig, scheduler: Scheduler, name: str) -> float:
    begin = time.monotonic()
    scheduler.launch([rig.pod(name)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 60)
    return time.monotonic() - begin


@pytest.mark.parametrize("end", ["revoked", "killed"])
def test_a_launch_does_not_wait_for_the_files_of_others(rig: Rig, scheduler: Scheduler, end: str) -> None:
    pods = [rig.pod(f"b{n}", revocable=True, spec=VOLUME, container=MOUNT) for n in range(PODS)]
    run(rig, scheduler, rig.pod("keeper"), *pods)
    volumes = [volume(rig, scheduler, f"b{n}") for n in range(PODS)]
    for path in volumes:
        fill(path / "v" / "many")
    before_s = min(launch_s(rig, scheduler, f"before{n}") for n in range(3))
    if end == "revoked":
        rig.command("revoke", "--all", "--grace", "0s")
    else:
        for n in range(PODS):
            scheduler.kill(f"b{n}", grace_s=0)
    during_s = [launch_s(rig, scheduler, f"during{n}") for n in range(3)]
    left = sum(path.exists() for path in volumes)
    for n in range(PODS):
        scheduler.wait_status(f"b{n}", "TASK_GONE" if end == "revoked" else "TASK_KILLED", 30)
    print(f"launches {before_s:.2f} s, then {during_s}, with the volumes of {left} pods still there")
    assert left, "the launches came when the removal was over: they prove nothing"
    assert sorted(during_s)[1] < 5 * before_s + 1.0
    assert wait_for(lambda: None if any(path.exists() for path in volumes) else True, 120), "removed after all"


def test_deeply_nested_directories_are_removed(rig: Rig, scheduler: Scheduler) -> None:
    nest = "cd /v; n=0; while [ $n -lt 1500 ]; do mkdir d && cd -P d || exit 1; n=$((n+1)); done; touch deepest"
    run(rig, scheduler, rig.pod("keeper"))
    scheduler.launch([rig.pod("deep", command=("sh", "-c", nest), spec=VOLUME, container=MOUNT)], rig.executor())
    scheduler.wait_status("deep", "TASK_RUNNING", 30)
    directory = volume(rig, scheduler, "deep")
    scheduler.wait_status("deep", "TASK_FINISHED", 60)
    assert wait_for(lambda: None if directory.exists() else True, 30), "volumes are still there"
    assert "pod.leaked" not in {line["code"] for line in rig.journal("mixed", scheduler)}


def test_what_cannot_be_removed_is_told_and_removed_later(rig: Rig, scheduler: Scheduler) -> None:
    """An immutable file, and a file system that somebody has mounted: what is mounted there is not touched."""
    run(rig, scheduler, rig.pod("keeper"), rig.pod("odd", command=SLEEP, spec=VOLUME, container=MOUNT))
    directory = volume(rig, scheduler, "odd")
    fixed, point, outside = directory / "v" / "sub" / "fixed", directory / "v" / "point", rig.directory / "outside"
    point.mkdir()
    fixed.parent.mkdir()
    fixed.touch()
    (directory / "v" / "gone").touch()
    outside.mkdir()
    (outside / "kept").touch()
    subprocess.run(["mount", "--bind", outside, point], check=True)
    subprocess.run(["chattr", "+i", fixed], check=True)
    try:
        scheduler.kill("odd", grace_s=0)
        scheduler.wait_status("odd", "TASK_KILLED", 30)
        leaked = wait_for(lambda: [e for e in events(rig, "pod.leaked") if e["what"] == "files"] or None, 20)
        assert leaked, "nobody was told"
        assert "volumes/v/sub/fixed: Operation not permitted (EPERM" in leaked[0]["error"]
        assert "volumes/v/point: " in leaked[0]["error"] and "EXDEV" in leaked[0]["error"]
        assert not (directory / "v" / "gone").exists() and (outside / "kept").exists()
    finally:
        subprocess.run(["chattr", "-i", fixed], check=False)
        subprocess.run(["umount", point], check=False)
    assert wait_for(lambda: events(rig, "pod.released") or None, 60)
    assert not directory.exists() and (outside / "kept").exists()
