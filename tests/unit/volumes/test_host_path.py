"""hostPath volumes on a directory of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.spec.volume_model import HostPath
from executor.volumes import host_path as hostpaths

TYPES = ("", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice")


@pytest.fixture
def node(tmp_path: Path) -> Path:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket"))
    return tmp_path


def host_path(path: Path | str, kind: str, beneath: str = "", closed: tuple[str, ...] = ()) -> HostPath:
    """As the reading of a pod makes it."""
    return HostPath("v", str(path), kind, beneath=beneath, closed=closed, makes_missing=kind in MAKING)


MAKING = ("", "DirectoryOrCreate")
FITS = {
    "directory": {"", "Directory", "DirectoryOrCreate"},
    "file": {"", "File", "FileOrCreate"},
    "socket": {"", "Socket"},
    "nothing": {"", "DirectoryOrCreate", "FileOrCreate"},
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(("name", "fits"), FITS.items())
def test_what_is_there_must_be_of_the_type(node: Path, name: str, fits: set[str], kind: str) -> None:
    volume = host_path(node / name, kind)
    if kind in fits:
        hostpaths.ensure(volume)
        hostpaths.ensure(volume)
        assert (node / name).exists()
    else:
        with pytest.raises(Failure) as caught:
            hostpaths.ensure(volume)
        assert caught.value.subject == str(node / name)


@pytest.mark.parametrize("beneath", [False, True])
def test_a_path_without_a_type_becomes_a_directory(node: Path, beneath: bool) -> None:
    hostpaths.ensure(host_path(node / "a/b", "", str(node) if beneath else ""))
    assert (node / "a/b").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("beneath", [False, True])
def test_a_path_of_a_mesos_volume_must_be_there(node: Path, beneath: bool) -> None:
    with pytest.raises(Failure, match="No such file"):
        hostpaths.ensure(HostPath("v", str(node / "a"), beneath=str(node) if beneath else ""))
    assert not (node / "a").exists()


def test_a_device_and_directories_on_the_way(node: Path) -> None:
    hostpaths.ensure(HostPath("v", "/dev/null", "CharDevice"))
    hostpaths.ensure(host_path(node / "a/b", "DirectoryOrCreate"))
    assert (node / "a/b").stat().st_mode & 0o777 == 0o755
    with pytest.raises(Failure, match="No such file"):
        hostpaths.ensure(HostPath("v", str(node / "c/d"), "FileOrCreate"))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(("name", "fits"), FITS.items())
def test_below_an_allowed_directory_it_is_the_same(node: Path, name: str, fits: set[str], kind: str) -> None:
    (node / "a").mkdir()
    volume = host_path(node / name, kind, str(node))
    if kind in fits:
        with hostpaths.opened(volume) as found:
            assert Path(f"/proc/self/fd/{found}").readlink() == node / name
    else:
        with pytest.raises(Failure):
            hostpaths.ensure(volume)
        assert name != "nothing" or not (node / name).exists()


LINKS = {"absolute": "{outside}", "relative": "../outside", "inside": "directory", "nowhere": "../outside/new"}


@pytest.mark.parametrize("kind", ["", "DirectoryOrCreate", "FileOrCreate", "Directory"])
@pytest.mark.parametrize("below", ["link", "link/x", "directory/link/x/y"])
@pytest.mark.parametrize("target", LINKS.values(), ids=LINKS)
def test_below_an_allowed_directory_no_link_is_followed(tmp_path: Path, target: str, below: str, kind: str) -> None:
    """Neither to read nor to make anything: a pod that may write there chooses the link."""
    outside, top = tmp_path / "outside", tmp_path / "top"
    for directory in (outside / "x/y", top / "directory/x/y"):
        directory.mkdir(parents=True)
    place = top / below.partition("/x")[0]
    place.symlink_to(target.format(outside=outside))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Failure, match="symbolic link") as caught:
        hostpaths.ensure(host_path(top / below, kind, str(top)))
    assert (caught.value.subject, str(top) in caught.value.hint) == (str(top / below), True)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_allowed_directory_itself_may_be_behind_a_link(node: Path, tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(node)
    for path in ("here", "here/directory"):
        hostpaths.ensure(HostPath("v", str(tmp_path / path), "Directory", beneath=str(tmp_path / "here")))


def test_nothing_leads_upwards(node: Path) -> None:
    with pytest.raises(Failure):
        hostpaths.ensure(host_path(f"{node}/directory/../../x", "DirectoryOrCreate", str(node)))


def test_a_directory_that_is_exchanged_for_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    """A pod that may write there does so, as fast as it can."""
    outside, top, done = tmp_path / "outside", tmp_path / "top", threading.Event()
    outside.mkdir()
    (top / "a").mkdir(parents=True)

    def swap() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                (top / "a").rename(top / "b")
                (top / "a").symlink_to(outside)
                time.sleep(0.0005)
                (top / "a").unlink()
            shutil.rmtree(top / "b", ignore_errors=True)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = {"made": 0, "refused": 0}
    for number in range(2000):
        try:
            hostpaths.ensure(host_path(f"{top}/a/x{number % 3}/y", "DirectoryOrCreate", str(top)))
            seen["made"] += 1
        except Failure:
            seen["refused"] += 1
    done.set()
    swapper.join()
    assert list(outside.iterdir()) == []
    assert all(seen.values()), seen


@pytest.mark.parametrize("beneath", [False, True])
def test_a_file_that_is_there_is_not_touched(node: Path, beneath: bool) -> None:
    os.utime(node / "file", (1, 1))
    hostpaths.ensure(HostPath("v", str(node / "file"), "FileOrCreate", beneath=str(node) if beneath else ""))
    assert (node / "file").stat().st_mtime == 1


def test_a_link_that_leads_nowhere_makes_no_file(node: Path) -> None:
    """Its writer chose the name, and the pod that mounts it would fill the file."""
    (node / "link").symlink_to(node / "new")
    with pytest.raises(Failure, match="No such file"):
        hostpaths.ensure(HostPath("v", str(node / "link"), "FileOrCreate"))
    assert not (node / "new").exists()


@pytest.mark.parametrize("kind", ["", "DirectoryOrCreate"])
@pytest.mark.parametrize("beneath", ["", "run"], ids=["anywhere", "beneath"])
@pytest.mark.parametrize("name", ["run/own", "run/own/x", "run/own/made/y"])
def test_a_closed_directory_is_not_shown_by_another_name(tmp_path: Path, name: str, beneath: str, kind: str) -> None:
    """As /var/run is another name of /run."""
    (tmp_path / "real/own/x").mkdir(parents=True)
    (tmp_path / "run").symlink_to("real")
    allowed = str(tmp_path / beneath) if beneath else ""
    for closed in ("real/own", "run/own"):
        volume = host_path(tmp_path / name, kind, allowed, (str(tmp_path / closed),))
        with pytest.raises(Failure):
            hostpaths.ensure(volume)
    if beneath:
        assert not (tmp_path / "real/own/made").exists(), "nothing is made there"


def test_nor_by_a_directory_around_it(tmp_path: Path) -> None:
    (tmp_path / "a/own").mkdir(parents=True)
    closed = (str(tmp_path / "a/own"),)
    hostpaths.ensure(HostPath("v", str(tmp_path / "a"), closed=closed))
    with pytest.raises(Failure, match="would show") as caught:
        hostpaths.ensure(HostPath("v", str(tmp_path / "a"), beneath=str(tmp_path), closed=closed))
    assert str(tmp_path / "a/own") in caught.value.message
    (tmp_path / "b").mkdir()
    hostpaths.ensure(HostPath("v", str(tmp_path / "b"), beneath=str(tmp_path), closed=closed))
