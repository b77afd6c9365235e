"""Groups nested to any depth are walked and removed without recursion and with few descriptors."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from cgroups.descent import HELD, walk
from cgroups.files import Directory
from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from tests.support.trees import descriptors, few_descriptors


def nest(point: Path, depth: int) -> None:
    """Groups one in the other, each with a second one beside it."""
    fd = os.open(point, os.O_RDONLY)
    for name in ["top", *(["d"] * depth)]:
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.mkdir("e", dir_fd=below)
        os.close(fd)
        fd = below
    os.close(fd)


@pytest.mark.parametrize("depth", [0, 1, HELD - 1, HELD, HELD + 1, 1500])
def test_any_depth(tmp_path: Path, depth: int) -> None:
    nest(tmp_path, depth)
    before = descriptors()
    with few_descriptors(HELD + 4):
        with Directory.open(tmp_path, "/top") as directory:
            paths = [group.path for group in walk(directory)]
        assert len(paths) == len(set(paths)) == 2 * (depth + 1)
        assert [path for path in paths if not path.endswith("e")] == [
            f"{tmp_path}/top" + "/d" * level for level in range(depth + 1)
        ]
        Cgroup(Hierarchies({"freezer": tmp_path}), "/top").destroy()
    assert list(tmp_path.iterdir()) == [] and descriptors() == before


def test_groups_that_vanish_meanwhile_are_skipped(tmp_path: Path) -> None:
    nest(tmp_path, 3 * HELD)
    deep = "top" + "/d" * (2 * HELD)
    seen = []
    with Directory.open(tmp_path, "/top") as directory:
        for group in walk(directory):
            seen.append(group.path)
            if group.path == f"{tmp_path}/{deep}":
                Cgroup(Hierarchies({"freezer": tmp_path}), f"/top{'/d' * (HELD + 2)}").destroy()
    assert len(seen) > 2 * HELD + 1, "it goes on above what is gone"
    assert f"{tmp_path}/top/e" in seen
    assert descriptors() == descriptors()


def test_a_walk_that_is_given_up_closes_everything(tmp_path: Path) -> None:
    nest(tmp_path, 2 * HELD)
    before = descriptors()
    with Directory.open(tmp_path, "/top") as directory:
        walking = cast("Generator[Directory, None, None]", walk(directory))
        for _ in range(HELD + 5):
            next(walking)
        walking.close()
    assert descriptors() == before
