"""Where pods go in the tree, and finding them again; and the arithmetic of the classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups import qos
from cgroups.controller import UNLIMITED
from cgroups.errors import InvalidName
from cgroups.mounts import Hierarchies
from cgroups.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    v1 = tmp_path / "freezer"
    unified = tmp_path / "unified"
    for point in (v1, unified):
        point.mkdir()
    return Tree(Hierarchies({"freezer": v1}, unified), "/mesos/c1")


def test_paths(tree: Tree) -> None:
    assert tree.executor.path == "/mesos/c1/executor"
    assert tree.subtree("revocable").path == "/mesos/c1/pods/revocable"
    assert tree.role("regular", "*").path == "/mesos/c1/pods/regular/_"
    assert tree.pod("regular", "eng/dev", "pod-1").path == "/mesos/c1/pods/regular/eng/dev/pod-1"
    assert tree.container("revocable", "pod-x", "pod-1", "a.b").path == ("/mesos/c1/pods/revocable/_pod-x/pod-1/_a.b")


def test_refused(tree: Tree) -> None:
    with pytest.raises(ValueError, match="neither"):
        tree.subtree("best-effort")
    with pytest.raises(InvalidName):
        tree.pod("regular", "..", "pod-1")
    with pytest.raises(InvalidName):
        tree.pod("regular", "eng", "../pod-1")
    with pytest.raises(InvalidName):
        tree.container("regular", "eng", "pod-1", "../x")


def test_every_pod_is_found_whatever_its_role(tree: Tree) -> None:
    placed = {("*", "pod-1"), ("eng", "pod-2"), ("eng/dev", "pod-3"), ("pod-9", "pod-4"), ("_", "pod-5")}
    for role, pod in placed:
        tree.ensure_pod("revocable", role, pod).child("main").ensure()
    tree.ensure_pod("regular", "eng", "pod-6")
    assert set(tree.walk("revocable")) == placed
    assert set(tree.walk("regular")) == {("eng", "pod-6")}


def test_what_one_hierarchy_still_has_is_found(tree: Tree) -> None:
    (tree.hierarchies.v1["freezer"] / "mesos/c1/pods/regular/eng/pod-7").mkdir(parents=True)
    assert list(tree.walk("regular")) == [("eng", "pod-7")]


def test_foreign_directories_and_links_are_passed_over(tree: Tree) -> None:
    tree.ensure_pod("regular", "eng", "pod-1")
    top = tree.hierarchies.v1["freezer"] / "mesos/c1/pods/regular"
    for name in ("a.b/pod-2", "pod-3", "_/x/pod-4", "eng/pod-1/pod-5", "eng/pod-", "_x/pod-6"):
        (top / name).mkdir(parents=True)
    (top / "link").symlink_to(top / "eng")
    assert list(tree.walk("regular")) == [("eng", "pod-1")]


def test_nothing_is_found_in_no_tree(tree: Tree) -> None:
    assert list(tree.walk("regular")) == []


def test_an_empty_role_goes_with_its_last_pod(tree: Tree) -> None:
    tree.ensure_pod("regular", "eng/dev", "pod-1")
    tree.ensure_pod("regular", "eng/dev", "pod-2")
    tree.ensure_pod("regular", "eng", "pod-3")
    tree.destroy_pod("regular", "eng/dev", "pod-1")
    assert tree.role("regular", "eng/dev").exists()
    tree.destroy_pod("regular", "eng/dev", "pod-2")
    assert not tree.role("regular", "eng/dev").exists()
    assert tree.role("regular", "eng").exists()
    tree.destroy_pod("regular", "eng", "pod-3")
    assert not tree.role("regular", "eng").exists()
    assert tree.subtree("regular").exists()


def test_destroying_twice_is_success(tree: Tree) -> None:
    tree.ensure_pod("regular", "eng", "pod-1")
    for _ in range(2):
        tree.destroy_pod("regular", "eng", "pod-1")


def test_the_revocable_class_may_use_what_its_tasks_hold() -> None:
    limits = qos.class_limits("revocable", 4.0, 256 << 20)
    assert (limits.memory_max_bytes, limits.cpu_weight, limits.cpu_idle) == (256 << 20, 1, True)
    assert qos.class_limits("revocable", 0, 0).memory_max_bytes == UNLIMITED


def test_the_regular_class_is_weighed_by_its_cpus_and_protected() -> None:
    limits = qos.class_limits("regular", 2.5, 1 << 30)
    assert (limits.cpu_weight, limits.memory_max_bytes) == (250, None)


@pytest.mark.parametrize(("cpus", "weight"), [(0.0, 1), (0.001, 1), (1.0, 100), (0.5, 50), (1000.0, 10_000)])
def test_weights(cpus: float, weight: int) -> None:
    assert qos.weight(cpus) == weight


def test_pods() -> None:
    assert qos.pod_limits(1.0, 64 << 20).memory_max_bytes == 64 << 20
    assert qos.pod_limits(1.0, 0).memory_max_bytes == UNLIMITED


def test_oom_scores_order_the_classes_with_and_without_the_capability() -> None:
    for may_lower in (True, False):
        regular = qos.oom_score_adj("regular", may_lower=may_lower)
        assert regular < qos.oom_score_adj("revocable", may_lower=may_lower) == 1000
    assert qos.oom_score_adj("regular", may_lower=False) == 0
    assert qos.oom_score_adj("regular", may_lower=True) < 0
