"""Access relative to a held directory: no symbolic link is followed, errors say what was written where."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from cgroups.descent import walk
from cgroups.errors import CgroupBusy, CgroupError, CgroupNotFound, translated
from cgroups.files import Directory, flat_keyed, number
from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.mkdir()
    (path / "cgroup.procs").write_text("1\n")
    return path


@pytest.fixture
def point(tmp_path: Path) -> Path:
    path = tmp_path / "point"
    (path / "a").mkdir(parents=True)
    return path


def test_a_linked_directory_is_refused(point: Path, outside: Path) -> None:
    (point / "a/link").symlink_to(outside)
    with pytest.raises(CgroupError, match="nothing was followed"):
        Directory.open(point, "/a/link")
    with Directory.open(point, "/a") as directory, pytest.raises(CgroupError, match="nothing was followed"):
        directory.child("link")


def test_a_link_on_the_way_is_refused(point: Path, outside: Path) -> None:
    (outside / "deep").mkdir()
    (point / "a/link").symlink_to(outside)
    with pytest.raises(CgroupError, match="a/link"):
        Directory.open(point, "/a/link/deep")


def test_without_openat2_the_names_are_walked(point: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel before 5.6, or a seccomp filter: this is what the C library would answer there."""
    monkeypatch.setattr("cgroups.openat2._syscall", lambda *_: -1)
    (point / "a/b").mkdir()
    (point / "a/b/cgroup.procs").write_text("7\n")
    with Directory.open(point, "/a/b") as directory:
        assert directory.read("cgroup.procs") == "7\n" and directory.path == str(point / "a/b")
    (point / "a/link").symlink_to(outside)
    with pytest.raises(CgroupError, match="nothing was followed"):
        Directory.open(point, "/a/link")


def test_the_mount_point_itself_may_be_a_link(point: Path, tmp_path: Path) -> None:
    (tmp_path / "cpu").symlink_to(point)
    with Directory.open(tmp_path / "cpu", "/a") as directory:
        assert directory.path == str(tmp_path / "cpu/a")


def test_a_linked_file_is_refused(point: Path, outside: Path) -> None:
    (point / "a/cgroup.procs").symlink_to(outside / "cgroup.procs")
    with Directory.open(point, "/a") as directory:
        with pytest.raises(CgroupError, match="symbolic link"):
            directory.read("cgroup.procs")
        with pytest.raises(CgroupError, match="symbolic link"):
            directory.write("cgroup.procs", "5")
    assert (outside / "cgroup.procs").read_text() == "1\n"


def test_walking_and_listing_skip_links(point: Path, outside: Path) -> None:
    (point / "a/b").mkdir()
    (point / "a/link").symlink_to(outside)
    with Directory.open(point, "/a") as directory:
        assert directory.subdirectories() == ["b"]
        assert [group.path for group in walk(directory)] == [f"{point}/a", f"{point}/a/b"]


def test_destroying_does_not_follow_links(point: Path, outside: Path) -> None:
    (outside / "keep").mkdir()
    (point / "a/link").symlink_to(outside)
    with pytest.raises(CgroupError):
        Cgroup(Hierarchies({"freezer": point}), "/a").destroy()
    assert (outside / "keep").is_dir()


def test_pids_of_a_linked_group_are_not_read(point: Path, outside: Path) -> None:
    (point / "a/cgroup.procs").write_text("7\n0\n8\n")
    (point / "a/link").symlink_to(outside)
    assert Cgroup(Hierarchies({"freezer": point}), "/a").pids() == {7, 8}


def test_errors_carry_path_and_data(point: Path) -> None:
    (point / "a/full").mkdir()
    with Directory.open(point, "/a") as directory, pytest.raises(CgroupError) as caught:
        directory.write("full", "42")
    assert (caught.value.path, caught.value.data) == (f"{point}/a/full", "42")
    assert "(writing '42')" in str(caught.value)


def test_a_write_never_creates_a_file(point: Path) -> None:
    with Directory.open(point, "/a") as directory:
        with pytest.raises(CgroupNotFound):
            directory.write("cpu.weight", "1")
        assert directory.read_optional("cpu.weight") is None
    assert list((point / "a").iterdir()) == []


def test_a_shorter_value_leaves_no_rest(point: Path) -> None:
    (point / "a/cpu.weight").write_text("10000")
    with Directory.open(point, "/a") as directory:
        directory.write("cpu.weight", "7")
        assert directory.read("cpu.weight") == "7"


def test_failed_opens_leave_no_descriptor(point: Path) -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 the names are enough
    for path in ("/a/b", "/x", "/a/b/c"):
        with pytest.raises(CgroupNotFound):
            Directory.open(point, path)
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_kill_without_a_descriptor_left_is_a_cgroup_error(point: Path) -> None:
    """So that whoever kills goes on killing."""
    group = Cgroup(Hierarchies({}, point), "/a")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        with pytest.raises(CgroupError) as caught:
            group.write_kill_file()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.errno == errno.EMFILE


def test_errors_by_kind() -> None:
    assert isinstance(translated(OSError(16, "busy"), "/x"), CgroupBusy)
    assert isinstance(translated(OSError(19, "no device"), "/x"), CgroupNotFound)
    busy = CgroupBusy(16, "busy", path="/x", pids=[3, 4])
    assert str(busy).endswith("[pids 3, 4]")
    assert isinstance(busy, OSError)


def test_values() -> None:
    assert flat_keyed("populated 1\nfrozen 0\nodd\nname x\n") == {"populated": 1, "frozen": 0}
    assert flat_keyed(None) == {}
    assert (number("12\n"), number("max\n"), number(None), number("-1")) == (12, None, None, -1)
