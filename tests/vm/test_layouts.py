"""Where an agent may have started the executor on cgroup v2: it works there, and leaves the group as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import regular
from tests.support.rig import PROGRAM, Rig, wait_for
from tests.vm.groups import POINT, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PLACE = Path(__file__).with_name("place")
MESOS = "mpe-machine/mesos"


def placed(rig: Rig, layout: str) -> dict[str, Any]:
    """An executor that is started where an agent of this layout starts it."""
    rig.program = (str(PLACE), layout, *PROGRAM)
    try:
        return rig.executor()
    finally:
        rig.program = PROGRAM


@pytest.mark.parametrize("layout", ["direct", "direct-busy", "leaf"])
def test_in_the_group_of_the_mesos_container(rig: Rig, layout: str) -> None:
    with rig.scheduler(name=layout) as scheduler:
        container = launched(rig, scheduler, layout)
        own = POINT / MESOS / container
        (web, batch) = sorted(rig.pods(), key=lambda pod: str(pod["class"]))
        assert root_group(web) == root_group(batch) == own
        revoked(rig)
        scheduler.shutdown_executor(rig.agent.agent_id, "mixed")
        left = ["leaf"] if layout == "leaf" else []
        assert wait_for(lambda: True if children(own) == left else None, 30), children(own)
        assert text(own, "cgroup.subtree_control").split() == (["cpu", "memory"] if layout == "leaf" else [])


def test_in_a_delegated_unit(rig: Rig) -> None:
    """The unit is not the container's group: the executor has a root of its own, and its pods end without the unit."""
    with rig.scheduler(name="service") as scheduler:
        launched(rig, scheduler, "service")
        assert rig.cgroup.strip("/") in str(root_group(rig.pods()[0]))
        revoked(rig)
        scheduler.shutdown_executor(rig.agent.agent_id, "mixed")
    assert not any((leaks := rig.wait_clean(30)).values()), leaks


def launched(rig: Rig, scheduler: Scheduler, layout: str) -> str:
    tasks = [rig.pod("web"), rig.pod("batch", revocable=True)]
    scheduler.launch(tasks, placed(rig, layout))
    for task in ("web", "batch"):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    return str(rig.agent.container_id(scheduler.framework_id, "mixed"))


def revoked(rig: Rig) -> None:
    before = regular(rig)
    assert rig.json("revoke", "--all")["state"] == "done"
    assert regular(rig) == before and before["web"]


def children(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_dir()) if directory.exists() else []
