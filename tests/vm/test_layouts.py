"""Where an agent may have started the executor on cgroup v2: it works there, and leaves the group as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how
from tests.support.rig import PROGRAM, Rig, wait_for
from tests.vm.groups import MIB, POINT, by_name, number, root_group, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PLACE = Path(__file__).with_name("place")
MESOS = "mpe-machine/mesos"
HOG = ("sh", "-c", "while [ ! -e /go ]; do sleep 1; done; exec dd if=/dev/zero of=/dev/null bs=400M count=1")


class Placed(NamedTuple):
    """An executor that was started where an agent of this layout starts it, with a pod of each class."""

    layout: str
    info: dict[str, Any]
    group: Path
    """What an agent would make for the Mesos container."""
    kept: dict[str, Any]
    lent: dict[str, Any]


def start(rig: Rig, framework: Scheduler, layout: str) -> Placed:
    rig.program = (str(PLACE), layout, *PROGRAM)
    try:
        info = rig.executor(layout)
    finally:
        rig.program = PROGRAM
    tasks = [rig.pod(f"kept-{layout}", cpus=1), rig.pod(f"lent-{layout}", revocable=True)]
    framework.launch(tasks, info)
    for task in tasks:
        framework.wait_status(task["task_id"]["value"], "TASK_RUNNING", 60)
    group = POINT / MESOS / str(rig.agent.container_id(framework.framework_id, layout))
    pods = by_name(rig)
    return Placed(layout, info, group, pods[f"kept-{layout}"], pods[f"lent-{layout}"])


def revoke(rig: Rig, placed: Placed) -> None:
    before = rig.processes(placed.kept)
    assert rig.json("revoke", "--all")["state"] == "done"
    assert rig.processes(placed.kept) == before != []
    assert rig.processes(placed.lent) == []


@pytest.fixture(scope="module")
def leaf(rig: Rig, framework: Scheduler) -> Placed:
    return start(rig, framework, "leaf")


def test_the_weight_that_an_agent_takes_away_is_given_back(rig: Rig, scheduler: Scheduler, leaf: Placed) -> None:
    """An agent writes it before each launch (cpu.weight 1 to 10000; its v1 shares of a revocable cpu are 10)."""
    assert root_group(leaf.kept) == leaf.group
    (leaf.group / "cpu.weight").write_text("3")
    assert wait_for(lambda: number(leaf.group, "cpu.weight") == 100 or None, 15)
    codes = [event["code"] for event in rig.journal("leaf", scheduler)]
    assert codes.count("cgroup.weight_restored") == 1


@pytest.mark.parametrize(
    ("above", "words"),
    [(0, "the limit of the executor's Mesos container of"), (1, "the memory of the node was met")],
    ids=["own", "above"],
)
def test_a_limit_above_the_pods_takes_what_is_borrowed(
    rig: Rig, scheduler: Scheduler, leaf: Placed, above: int, words: str
) -> None:
    name = f"hog-{above}"
    scheduler.launch([rig.pod(name, revocable=True, mem=512, command=HOG)], leaf.info)
    scheduler.wait_status(name, "TASK_RUNNING", 60)
    hog = by_name(rig)[name]
    group = (leaf.group, *leaf.group.parents)[above]
    before = [rig.processes(pod) for pod in (leaf.kept, leaf.lent)]
    (group / "memory.max").write_text(str(number(group, "memory.current") + 100 * MIB))
    try:
        Path(f"/proc/{hog['containers'][0]['pid']}/root/go").touch()
        status = scheduler.wait_status(name, ("TASK_GONE", "TASK_FAILED"), 60)
    finally:
        (group / "memory.max").write_text("max")
    assert how(status) == PREEMPTED and words in status.message
    assert "limitation" not in status.raw, "it met no limit of its own"
    assert [rig.processes(pod) for pod in (leaf.kept, leaf.lent)] == before


@pytest.mark.parametrize("layout", ["leaf", "direct", "direct-busy"])
def test_in_the_group_of_the_mesos_container(
    rig: Rig, framework: Scheduler, layout: str, request: pytest.FixtureRequest
) -> None:
    placed = request.getfixturevalue("leaf") if layout == "leaf" else start(rig, framework, layout)
    assert root_group(placed.kept) == root_group(placed.lent) == placed.group
    revoke(rig, placed)
    framework.shutdown_executor(rig.agent.agent_id, layout)
    left = ["leaf"] if layout == "leaf" else []
    assert wait_for(lambda: True if children(placed.group) == left else None, 30), children(placed.group)
    controllers = text(placed.group, "cgroup.subtree_control").split()
    assert controllers == (["cpu", "memory"] if layout == "leaf" else [])


def test_in_a_delegated_unit(rig: Rig, framework: Scheduler) -> None:
    """The unit is not the container's group: the executor has a root of its own, and its pods end without the unit."""
    placed = start(rig, framework, "service")
    assert rig.cgroup.strip("/") in str(root_group(placed.kept))
    revoke(rig, placed)
    framework.shutdown_executor(rig.agent.agent_id, "service")
    assert wait_for(lambda: None if root_group(placed.kept).exists() else True, 30)


def children(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.is_dir()) if directory.exists() else []
