"""systemd-oomd and pods on cgroup v2: the marks that it reads, and an end by it, which has its name."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, run
from tests.support.rig import Rig
from tests.vm.groups import MIB, by_name, group, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SLICE = "mpeoomd.slice"
DURATION = Path("/run/systemd/oomd.conf.d/mpe.conf")
HIGH, SIZE = 8 * MIB, 48 * MIB


def marks(directory: Path) -> set[str]:
    return {name for name in os.listxattr(directory) if name.startswith("user.oomd")}


def test_its_marks_and_an_end_by_it(rig: Rig, scheduler: Scheduler) -> None:
    """What systemd-oomd does to a group that it has chosen: a mark, and SIGKILL to all that is in it."""
    run(rig, scheduler, rig.pod("web"), rig.pod("chosen", revocable=True))
    pods = by_name(rig)
    web, chosen = (group(pods[name]["cgroup"]) / "app" for name in ("web", "chosen"))
    executor = root_group(pods["web"]) / "executor"
    assert (marks(web), marks(chosen), marks(executor)) == ({"user.oomd_avoid"}, set(), {"user.oomd_omit"})
    assert (text(web, "memory.oom.group"), text(chosen, "memory.oom.group")) == ("1", "1")
    os.setxattr(chosen, "user.oomd_ooms", b"1")
    (chosen / "cgroup.kill").write_text("1")
    status = scheduler.wait_status("chosen", ("TASK_GONE", "TASK_FAILED"), 60)
    assert how(status) == PREEMPTED and "was killed by systemd-oomd" in status.message
    assert by_name(rig)["web"]["containers"][0]["pid"] == pods["web"]["containers"][0]["pid"]


def systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=True, capture_output=True, timeout=120)


@pytest.fixture
def watched() -> Iterator[str]:
    """A slice whose groups systemd-oomd ends at the least pressure. Before systemd 257 all have one time."""
    systemctl("start", SLICE)
    DURATION.parent.mkdir(parents=True, exist_ok=True)
    DURATION.write_text("[OOM]\nDefaultMemoryPressureDurationSec=1s\n")
    systemctl("set-property", "--runtime", SLICE, "ManagedOOMMemoryPressure=kill", "ManagedOOMMemoryPressureLimit=1%")
    systemctl("restart", "systemd-oomd.service")
    try:
        yield f"/{SLICE}/pods"
    finally:
        line = ["journalctl", "--no-pager", "-u", "systemd-oomd", "-o", "cat"]
        print(subprocess.run(line, capture_output=True, text=True, check=False).stdout)
        print(subprocess.run(["oomctl"], capture_output=True, text=True, check=False).stdout)
        with contextlib.suppress(subprocess.CalledProcessError):
            systemctl("stop", "systemd-oomd.service")
            systemctl("revert", SLICE)
        DURATION.unlink()


def pressed(rig: Rig, files: Path, name: str, *, revocable: bool = False) -> dict[str, Any]:
    """A pod that reads more than fits beside what it takes, so that the kernel takes pages back all the time."""
    with (files / name).open("wb") as file:
        file.write(bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # or its pages are this process's
    container = {
        "resources": {"limits": {"memory": "24Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    }
    spec = {"volumes": [{"name": "data", "hostPath": {"path": str(files)}}]}
    read = f"while :; do cat /data/{name} >/dev/null; done"
    take = "while :; do dd if=/dev/zero of=/dev/null bs=14M count=40 2>/dev/null; done"
    line = ("sh", "-c", f"({read}) & ({read}) & {take}")
    return rig.pod(name, mem=64, command=line, container=container, spec=spec, revocable=revocable)


def test_it_ends_the_revocable_container_first(rig: Rig, watched: str, scheduler: Scheduler, tmp_path: Path) -> None:
    """Both press as hard."""
    tasks = [pressed(rig, tmp_path, "held"), pressed(rig, tmp_path, "batch", revocable=True)]
    scheduler.launch(tasks, rig.executor("watched", config={"CGROUPS_ROOT": watched}))
    for name in ("held", "batch"):
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    pods = by_name(rig)
    for pod in (pods["held"], pods["batch"]):
        (group(pod["cgroup"]) / "app/memory.high").write_text(str(HIGH))
    status = scheduler.wait_status("batch", ("TASK_GONE", "TASK_FAILED"), 15)
    assert how(status) == PREEMPTED and "was killed by systemd-oomd" in status.message
    assert by_name(rig)["held"]["containers"][0]["pid"] == pods["held"]["containers"][0]["pid"]
