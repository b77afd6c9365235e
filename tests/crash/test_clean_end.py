"""What a clean end leaves: nothing, in no directory and in no hierarchy of cgroups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from tests.crash.launching import MOUNTED
from tests.crash.remains import remains
from tests.support import cgroupdirs
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS = 4


def everything(rig: Rig, names: Path) -> list[str]:
    """Beside what containerd and runc have: files, marks, directories and groups, those above the executor's too. Not
    where `why` finds the journal of an executor that has ended: that stays, and says nothing else.
    """
    ended = rig.run_dir / "ended"
    own = [path for path in rig.run_dir.rglob("*") if ended not in (path, *path.parents)]
    directories = [*own, *(rig.directory / "state").rglob("*"), *names.glob("*")]
    tops = (rig.cgroup, f"{rig.cgroup}-shims", f"{rig.cgroup}-regular-shims", rig.agent.cgroups_root)
    return [str(path) for path in (*directories, *(each for top in tops for each in cgroupdirs.roots(top)))]


@pytest.mark.parametrize("launcher", ["linux", "posix"])
def test_nothing_is_left(launcher: Literal["linux", "posix"]) -> None:
    """The last executor of a node ends, and some of its pods were killed while they were set up."""
    names = Path("/run/mpe-names")
    with (
        Rig(replace(OPTIONS, launcher=launcher), config={"DNS_HOSTS_DIR": str(names)}) as rig,
        rig.scheduler(name="clean") as scheduler,
    ):
        there = everything(rig, names)
        tasks = [rig.pod(f"pod{n}", revocable=bool(n % 2), **MOUNTED) for n in range(PODS)]
        late = [rig.pod(f"late{n}", revocable=bool(n % 2), **MOUNTED) for n in range(PODS)]
        scheduler.launch(tasks, rig.executor())
        for task in tasks:
            scheduler.wait_status(task["name"], "TASK_RUNNING", 60)
        scheduler.launch(late, rig.executor())
        scheduler.wait_status("late0", "TASK_STARTING", 30)
        during = everything(rig, names)
        assert len(during) > len(there)
        for task in (*late, *tasks):
            scheduler.kill(task["name"])
        for task in (*late, *tasks):
            scheduler.wait_status(task["name"], TERMINAL, 60)
        wait_for(lambda: True if everything(rig, names) == there and not remains(rig) else None, 20)
        assert sorted(set(everything(rig, names)) - set(there)) == []
        assert remains(rig) == {}
