"""A directory where others may write: whatever they put there, nothing outside is opened, made or removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.disk.logs import KEEP_BYTES, cut
from executor.disk.removal import Removal
from executor.disk.walk import Walk
from executor.output.endedlogs import remove
from executor.output.logfile import LogFile
from executor.own_directory import OwnDirectory, ensure_below
from executor.pod.network import host_files

Change = Callable[[OwnDirectory, Path], None]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """With what is looked for in a pod's directory."""
    directory = tmp_path / "outside" / "pods" / "pod-1"
    (directory / "volumes").mkdir(parents=True)
    for name in ("hosts", "app.stdout.1", "volumes/file"):
        (directory / name).write_text("kept")
    (directory / "app.stdout").write_bytes(b"k" * 2 * KEEP_BYTES)
    return directory


@pytest.fixture
def own(tmp_path: Path) -> OwnDirectory:
    (tmp_path / "sandbox").mkdir()
    directory = OwnDirectory(str(tmp_path / "sandbox"), "pods", "pod-1")
    directory.make()
    return directory


def link_for_it(own: OwnDirectory, outside: Path) -> None:
    path = Path(own.path)
    path.rename(path.with_name("moved"))
    path.symlink_to(outside)


def link_above(own: OwnDirectory, outside: Path) -> None:
    path = Path(own.path).parent
    path.rename(path.with_name("moved"))
    path.symlink_to(outside.parent)


def another(own: OwnDirectory, outside: Path) -> None:
    path = Path(own.path)
    path.rename(path.with_name("moved"))
    outside.rename(path)
    outside.symlink_to(path)


def links_in_it(own: OwnDirectory, outside: Path) -> None:
    for each in outside.iterdir():
        (Path(own.path) / each.name).symlink_to(each)


def write_log(own: OwnDirectory) -> None:
    log = LogFile(own, "app.stdout", 10, 1)
    for _ in range(5):
        log.append(bytearray(b"12345678\n"), 9)


def remove_tree(own: OwnDirectory) -> None:
    work = Removal(own, "volumes")
    while not work.turn():
        pass
    assert work.failures.count == 1
    raise OSError


USES: dict[str, Callable[[OwnDirectory], object]] = {
    "log": write_log,
    "host files": lambda own: host_files.write(own, "hosts", "127.0.0.1 evil"),
    "cut": lambda own: cut(own, ["app"]),
    "ended": remove,
    "volumes": remove_tree,
}


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("change", [link_for_it, link_above, another])
@pytest.mark.parametrize("use", USES)
def test_what_stands_in_its_place_is_not_touched(own: OwnDirectory, outside: Path, change: Change, use: str) -> None:
    before = content(outside)
    change(own, outside)
    with pytest.raises(OSError):  # noqa: PT011 of several kinds
        USES[use](own)
    assert content(outside) == before
    assert not own.stands()


@pytest.mark.parametrize("use", ["log", "host files", "volumes"])
def test_links_in_it_are_refused(own: OwnDirectory, outside: Path, use: str) -> None:
    before = content(outside)
    links_in_it(own, outside)
    with pytest.raises(OSError):  # noqa: PT011
        USES[use](own)
    assert content(outside) == before and own.stands()


@pytest.mark.parametrize("use", ["cut", "ended"])
def test_links_in_it_are_no_logs(own: OwnDirectory, outside: Path, use: str) -> None:
    before = content(outside)
    links_in_it(own, outside)
    USES[use](own)
    assert content(outside) == before


def test_the_count_is_of_the_own_directory(own: OwnDirectory, outside: Path) -> None:
    link_for_it(own, outside)
    with pytest.raises(OSError, match=own.path):
        Walk(own).turn()


@pytest.mark.parametrize("kind", ["fifo", "device", "directory"])
def test_only_regular_files_are_opened(own: OwnDirectory, kind: str) -> None:
    path = Path(own.path, "hosts")
    if kind == "device":
        try:
            os.mknod(path, 0o600 | 0o20000, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("needs CAP_MKNOD")
    else:
        os.mkfifo(path) if kind == "fifo" else path.mkdir()
    with pytest.raises(OSError, match=r"is not a regular file: .*pod-1/hosts"):
        own.open_file("hosts", os.O_RDWR | os.O_CREAT)


def test_it_is_removed_once_it_is_empty(own: OwnDirectory, outside: Path) -> None:
    Path(own.path, "app.stdout").touch()
    with pytest.raises(OSError, match="not empty"):
        own.rmdir()
    assert remove(own) and not Path(own.path).exists()
    assert remove(own), "again"
    Path(own.path).symlink_to(outside)
    with pytest.raises(OSError, match="Not a directory"):
        own.rmdir()


def test_directories_below_it(own: OwnDirectory, outside: Path) -> None:
    with own.opened() as directory:
        os.close(ensure_below(directory, "volumes", "data"))
        os.close(ensure_below(directory, "volumes", "data"))
        Path(own.path, "linked").symlink_to(outside)
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            ensure_below(directory, "linked", "data")
    assert Path(own.path, "volumes/data").is_dir() and not (outside / "data").exists()


def test_links_above_the_base_are_the_agents(tmp_path: Path, own: OwnDirectory) -> None:
    (tmp_path / "work_dir").symlink_to(own.base)
    through = OwnDirectory(str(tmp_path / "work_dir"), "pods", "pod-1", identity=own.identity)
    assert through.stands()
