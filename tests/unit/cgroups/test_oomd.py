"""Marks for systemd-oomd, on directories that look like groups: a file system keeps the same extended attributes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies, oomd
from cgroups.oomd import Mark


@pytest.fixture
def group(tmp_path: Path) -> Cgroup:
    (tmp_path / "app").mkdir()
    try:
        os.setxattr(tmp_path / "app", "user.test", b"1")
    except OSError as error:
        pytest.skip(f"the file system keeps no extended attributes: {error}")
    return Cgroup(Hierarchies(unified=tmp_path), "/app")


@pytest.mark.parametrize("mark", Mark)
def test_a_mark_is_what_systemd_reads(tmp_path: Path, group: Cgroup, mark: Mark) -> None:
    oomd.mark(group, mark)
    assert os.getxattr(tmp_path / "app", mark) == b"1"
    assert set(os.listxattr(tmp_path / "app")) >= {mark}
    assert {str(each) for each in Mark} == {"user.oomd_avoid", "user.oomd_omit"}


def test_a_hybrid_node_has_no_systemd_oomd(tmp_path: Path, group: Cgroup) -> None:
    oomd.mark(Cgroup(Hierarchies({"cpu": tmp_path / "cpu"}, tmp_path), group.path), Mark.AVOID)
    assert Mark.AVOID not in os.listxattr(tmp_path / "app")


@pytest.mark.parametrize(("text", "killed"), [(None, False), (b"0", False), (b"1", True), (b"10", True)])
def test_what_it_leaves(tmp_path: Path, group: Cgroup, text: bytes | None, killed: bool) -> None:
    if text is not None:
        os.setxattr(tmp_path / "app", "user.oomd_ooms", text)
    assert oomd.has_killed(group) is killed


def test_a_group_that_is_gone(group: Cgroup) -> None:
    gone = Cgroup(group.hierarchies, "/gone")
    oomd.mark(gone, Mark.OMIT)
    assert not oomd.has_killed(gone)
    assert not oomd.has_killed(Cgroup(Hierarchies({}), "/app"))
