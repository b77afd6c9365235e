"""`memory.min` on a directory tree that looks like cgroup v2 with the memory controller, which the machine need not
have.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups import Hierarchies, Tree
from cgroups.attributes import note
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId, Role, TaskId
from executor.pod.resources.classes import Classes
from executor.spec.model import PodSpec

MIB = 1 << 20
WEB, API, BATCH = PodId("pod-000000000001"), PodId("pod-000000000002"), PodId("pod-000000000003")


class Node:
    """An executor's tree below a group that an executor made, below one of the operator's."""

    def __init__(self, directory: Path) -> None:
        self.point = directory
        self.tree = Tree(Hierarchies(unified=directory), "/slice/executors/c4d5-1111")
        for group in ("/slice", "/slice/executors", "/slice/executors/another", self.tree.root_path):
            self.level(group)
        note(directory, "/slice/executors", "made", "")
        for pod_class in PodClass:
            self.level(self.tree.pods.path)
            self.level(self.tree.subtree(pod_class).path)
        self.classes = Classes(self.tree)

    def level(self, path: str) -> None:
        group = self.point / path.lstrip("/")
        group.mkdir(exist_ok=True)
        (group / "memory.min").touch()

    def min_mib(self, path: str) -> int | None:
        text = (self.point / path.lstrip("/") / "memory.min").read_text()
        return int(text) // MIB if text else None

    async def admit(self, pod: PodId, spec: PodSpec) -> None:
        path = self.tree.pod(spec.pod_class, spec.role, pod).path
        names = path.removeprefix(self.tree.subtree(spec.pod_class).path).strip("/").split("/")
        for length in range(1, len(names) + 1):
            self.level(f"{self.tree.subtree(spec.pod_class).path}/{'/'.join(names[:length])}")
        await self.classes.admit(pod, spec)


def spec(mib: int, role: str, pod_class: PodClass = PodClass.REGULAR) -> PodSpec:
    return PodSpec(
        task_ids=(TaskId("t"),),
        name="pod",
        namespace="default",
        uid="",
        pod_class=pod_class,
        role=Role(role),
        containers=(),
        resources=Resources(cpus=0.1, mem_bytes=mib * MIB),
    )


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


async def test_every_group_above_a_regular_pod_is_protected(node: Node) -> None:
    tree = node.tree
    (node.point / "slice/executors/another/memory.min").write_text(str(100 * MIB))
    await node.admit(WEB, spec(64, "eng/dev"))
    await node.admit(API, spec(32, "eng"))
    await node.admit(BATCH, spec(512, "eng", PodClass.REVOCABLE))
    regular = tree.subtree(PodClass.REGULAR)
    for path in (tree.root_path, tree.pods.path, regular.path, f"{regular.path}/eng"):
        assert node.min_mib(path) == 96
    assert node.min_mib(f"{regular.path}/eng/dev") == 64
    assert node.min_mib(tree.pod(PodClass.REGULAR, "eng", API).path) == 32
    assert node.min_mib("/slice/executors") == 196, "another executor has pods there"
    assert node.min_mib("/slice") is None, "it is the operator's"
    assert node.min_mib(tree.subtree(PodClass.REVOCABLE).path) is None


async def test_what_went_is_protected_no_more(node: Node) -> None:
    await node.admit(WEB, spec(64, "eng"))
    gone = node.point / node.tree.pod(PodClass.REGULAR, "eng", WEB).path.lstrip("/")
    for group in (gone, gone.parent):  # a directory tree keeps what a kernel's lets go with the group
        for file in group.glob("memory.*"):
            file.unlink()
    await node.classes.release(WEB)
    for path in (node.tree.root_path, node.tree.pods.path, node.tree.subtree(PodClass.REGULAR).path):
        assert node.min_mib(path) == 0
    assert node.min_mib("/slice/executors") == 0
