"""Groups come in every hierarchy and go without a rest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cgroups.errors import CgroupBusy, CgroupError
from cgroups.group import Cgroup
from cgroups.membership import Membership
from cgroups.mounts import Hierarchies
from cgroups.tree import Tree
from tests.integration.cgroups.conftest import Spawn, descriptors
from tests.support import cgroup2_alone, cgroupdirs
from tests.support.mesos.cluster import node_cgroup


def test_two_hundred_pods_come_and_go(group: Cgroup) -> None:
    tree = Tree(group.hierarchies, f"{group.path}/run")
    before = descriptors()
    for number in range(200):
        pod = tree.ensure_pod("revocable", f"role{number % 7}/deep", f"pod-{number}")
        pod.child("main").ensure()
    assert len(set(tree.walk("revocable"))) == 200
    for number in range(200):
        tree.destroy_pod("revocable", f"role{number % 7}/deep", f"pod-{number}")
    assert list(tree.walk("revocable")) == []
    assert tree.subtree("revocable").children() == []
    tree.root.destroy()
    assert cgroupdirs.roots(tree.root.path) == []
    assert descriptors() == before


def test_groups_nested_deeper_than_python_recurses_are_killed_and_removed(group: Cgroup, spawn: Spawn) -> None:
    """A container that may mount the hierarchy can make them; no path is long enough to name them."""
    point = group.hierarchies.unified
    assert point is not None
    leaf = group.child("leaf")
    leaf.ensure()
    process = spawn("sleep", "1000", into=leaf.attach)
    fd = os.open(f"{point}{leaf.path}", os.O_RDONLY)
    try:
        for _ in range(1200):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=fd)
        os.write(procs, str(process.pid).encode())
        os.close(procs)
        assert leaf.pids() == {process.pid}
        leaf.kill()
        assert process.wait(10) != 0
        leaf.destroy()
    finally:
        remove_upwards(fd, 1200)
    assert not leaf.exists()


def remove_upwards(fd: int, levels: int) -> None:
    """What a failure has left, for others to be able to sweep."""
    for _ in range(levels):
        try:
            above = os.open("..", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = above
            os.rmdir("d", dir_fd=fd)
        except OSError:
            break
    os.close(fd)


def test_it_is_in_every_hierarchy(group: Cgroup, spawn: Spawn) -> None:
    process = spawn("sleep", "1000", into=group.attach)
    assert len(cgroupdirs.roots(group.path)) == len(group.hierarchies.points)
    assert set(Membership.of(process.pid).paths.values()) == {group.path}


def test_a_group_with_a_process_stays_and_says_why(group: Cgroup, spawn: Spawn) -> None:
    leaf = group.child("leaf")
    leaf.ensure()
    process = spawn("sleep", "1000", into=leaf.attach)
    with pytest.raises(CgroupBusy) as caught:
        group.destroy()
    assert caught.value.pids == (process.pid,)
    assert leaf.path in caught.value.path
    process.kill()
    process.wait(5)
    group.destroy()
    assert not group.exists()


def test_a_group_that_only_some_hierarchies_have(group: Cgroup) -> None:
    leaf = group.child("leaf")
    point = group.hierarchies.points[0]
    (point / leaf.path.lstrip("/")).mkdir()
    assert leaf.exists()
    leaf.destroy()
    assert not leaf.exists()
    leaf.destroy()


def test_pruning_leaves_what_is_in_use(group: Cgroup, spawn: Spawn) -> None:
    outer, inner = group.child("outer"), group.child("outer").child("inner")
    inner.ensure()
    assert not outer.prune()
    assert inner.exists()
    process = spawn("sleep", "1000", into=inner.attach)
    assert not inner.prune()
    process.kill()
    process.wait(5)
    assert inner.prune() and outer.prune() and outer.prune()


def test_a_process_goes_back_to_where_it_was(group: Cgroup, hierarchies: Hierarchies, spawn: Spawn) -> None:
    process = spawn("sleep", "1000", into=lambda _: None)
    before = Membership.of(process.pid)
    group.attach(process.pid)
    before.rejoin(hierarchies)
    assert Membership.of(process.pid) == before
    group.destroy()


def test_a_process_that_is_gone_cannot_be_attached(group: Cgroup) -> None:
    done = subprocess.Popen(["true"])
    done.wait(5)
    with pytest.raises(CgroupError, match="the process is gone"):
        group.attach(done.pid)


@pytest.mark.parametrize("program", ["v2_alone.py", "v2_proof.py", "v2_container.py"])
def test_on_cgroup2_alone(program: str, tmp_path: Path) -> None:
    """In a mount namespace whose only hierarchy is cgroup2: nothing outside it changes."""
    name = f"{node_cgroup()}-v2"
    done = cgroup2_alone.run(Path(__file__).with_name(program), name, spare=tmp_path)
    assert (done.returncode, done.stdout) == (0, "all is well\n"), done.stderr
    assert cgroupdirs.sweep(name) == []
