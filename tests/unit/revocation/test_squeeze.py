"""Where the limits of a squeeze are written, on v1 and v2, with and without pods that have quotas of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cgroups import Hierarchies, Tree
from executor.names import PodClass
from executor.revocation.squeeze import SqueezedPods
from executor.spec.model import ContainerKind, Limits

ROOT = "mesos/c1/pods/revocable"
V1_FILES = {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "memory.soft_limit_in_bytes": "-1"}
V2_FILES = {"cpu.max": "max 100000", "memory.high": "max"}


def pod(name: str, *, cpus: float = 1.0, limit: float | None = None, role: str = "*", containers: int = 1) -> Any:
    """As much of a PodRunner as is asked."""
    names = ["app", "side"][:containers]
    parts = [SimpleNamespace(name=each, kind=ContainerKind.MAIN, limits=Limits(cpus=limit)) for each in names]
    resources = SimpleNamespace(cpus=cpus)
    spec = SimpleNamespace(pod_class=PodClass.REVOCABLE, role=role, containers=parts, resources=resources)
    return SimpleNamespace(id=f"pod-{name}", spec=spec)


class Node:
    """Directories in the place of a kernel's, with the files that are written."""

    def __init__(self, point: Path, *, v1: bool) -> None:
        self.point, self.files = point, V1_FILES if v1 else V2_FILES
        hierarchies = Hierarchies({"cpu": point, "memory": point}, None) if v1 else Hierarchies({}, point)
        self.tree = Tree(hierarchies, "/mesos/c1")
        self.pods: list[Any] = []
        self.group("")

    def group(self, path: str) -> None:
        directory = self.point / ROOT / path
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (directory / name).write_text(text)

    def add(self, *pods: Any) -> None:
        self.pods += pods
        for each in pods:
            for container in each.spec.containers:
                self.group(f"_/{each.id}/{container.name}")

    def text(self, name: str, path: str = "") -> str:
        return (self.point / ROOT / path / name).read_text()


@pytest.fixture
def v1(tmp_path: Path) -> Node:
    return Node(tmp_path, v1=True)


@pytest.fixture
def v2(tmp_path: Path) -> Node:
    return Node(tmp_path, v1=False)


def squeezed(node: Node, ceiling: Callable[[str], float | None] = lambda _: None) -> SqueezedPods:
    return SqueezedPods(node.tree, node.pods, ceiling)


def limit(squeeze: SqueezedPods, cpus: float | None, high_bytes: int | None) -> None:
    squeeze.limit_cpus(cpus)
    squeeze.limit_memory(high_bytes)


def test_on_v2_the_class_is_limited_whatever_its_pods_have(v2: Node) -> None:
    v2.add(pod("a", limit=4.0))
    squeeze = squeezed(v2)
    limit(squeeze, 1.5, 4096)
    assert (v2.text("cpu.max"), v2.text("memory.high")) == ("150000 100000", "4096")
    assert v2.text("cpu.max", "_/pod-a/app") == "max 100000"
    limit(squeeze, None, None)
    assert (v2.text("cpu.max"), v2.text("memory.high")) == ("max 100000", "max")


def test_on_v1_the_class_is_limited_where_no_pod_has_a_quota(v1: Node) -> None:
    v1.add(pod("a"))
    squeeze = squeezed(v1)
    limit(squeeze, 0.5, 8192)
    assert (v1.text("cpu.cfs_quota_us"), v1.text("memory.soft_limit_in_bytes")) == ("50000", "8192")
    limit(squeeze, None, None)
    assert (v1.text("cpu.cfs_quota_us"), v1.text("memory.soft_limit_in_bytes")) == ("-1", "-1")


def test_on_v1_pods_with_quotas_are_limited_one_by_one_by_what_they_hold(v1: Node) -> None:
    v1.add(pod("a", cpus=3.0, limit=2.0), pod("b", cpus=1.0, containers=2))
    squeeze = squeezed(v1)
    limit(squeeze, 0.8, None)
    assert v1.text("cpu.cfs_quota_us") == "-1"
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "60000"
    assert v1.text("cpu.cfs_quota_us", "_/pod-b/app") == v1.text("cpu.cfs_quota_us", "_/pod-b/side") == "10000"
    limit(squeeze, 8.0, None)
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "200000", "never above its own"
    limit(squeeze, None, None)
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "200000"
    assert v1.text("cpu.cfs_quota_us", "_/pod-b/app") == "-1"


def test_a_pod_with_a_quota_that_comes_lifts_the_limit_of_the_class_before_it_starts(v1: Node) -> None:
    v1.add(pod("a"))
    squeeze = squeezed(v1)
    squeeze.pods_changed()
    assert v1.text("cpu.cfs_quota_us") == "-1"
    limit(squeeze, 0.5, None)
    v1.pods.append(pod("late", limit=1.0))  # its group is not there yet
    squeeze.pods_changed()
    assert v1.text("cpu.cfs_quota_us") == "-1"
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "25000"
    v1.pods.pop()
    squeeze.pods_changed()
    assert v1.text("cpu.cfs_quota_us") == "50000"
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "-1"


def test_on_v1_a_limit_of_the_role_counts_as_one_of_the_pod(v1: Node) -> None:
    v1.add(pod("a"), pod("b"))
    limit(squeezed(v1, lambda role: 0.2), 1.0, None)
    assert v1.text("cpu.cfs_quota_us") == "-1"
    assert v1.text("cpu.cfs_quota_us", "_/pod-a/app") == "20000"
