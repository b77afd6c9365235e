"""A tree that a foreign program has filled is removed whatever is in it, with few descriptors; what stays is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor import beneath
from executor.disk import descriptors, removal
from executor.disk.removal import Removal
from executor.own_directory import OwnDirectory
from tests.support.trees import LONG, NAMES, TREES, build, few_descriptors, nest
from tests.support.trees import descriptors as open_now

ODD = [b"\xff\xfe\n", "ü".encode("latin-1"), b" ", b"-rf", b"a\nb", LONG]


def remove(path: Path) -> Removal:
    work = Removal(OwnDirectory.at(str(path.parent)), path.name)
    while not work.turn():
        pass
    return work


@pytest.mark.parametrize(
    ("depth", "name"), [(1500, b"d"), (20, LONG), (3 * removal.DEPTH_MAX, LONG), (removal.DEPTH_MAX - 1, b"d")]
)
def test_any_depth_goes_with_few_descriptors(tmp_path: Path, depth: int, name: bytes) -> None:
    nest(tmp_path / "v", depth, name)
    with few_descriptors(5):
        work = remove(tmp_path / "v")
    assert not work.failures.count, work.failures.text()
    assert not (tmp_path / "v").exists()
    assert work.removed >= depth


def test_wide_directories_go_in_bounded_turns(tmp_path: Path) -> None:
    root = tmp_path / "v"
    for n in range(1500):
        (root / f"d{n}").mkdir(parents=True)
        (root / f"d{n}" / "f").touch()
    work, turns, before = Removal(OwnDirectory.at(str(root.parent)), root.name), 0, 0
    done = False
    while not done:
        done = work.turn()
        turns += 1
        assert work.removed - before <= 2 * removal.ENTRIES_A_TURN
        before = work.removed
    assert not root.exists() and turns >= 3000 / (2 * removal.ENTRIES_A_TURN)


def test_any_name_goes(tmp_path: Path) -> None:
    for name in ODD:
        directory = tmp_path / "v" / os.fsdecode(name)
        (directory / os.fsdecode(name)).mkdir(parents=True)
        (directory / os.fsdecode(b"f\xff")).touch()
    assert not remove(tmp_path / "v").failures.count
    assert not (tmp_path / "v").exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside" / "kept").mkdir(parents=True)
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "v" / "dangling").symlink_to("/nowhere")
    os.mkfifo(tmp_path / "v" / "fifo")
    assert not remove(tmp_path / "v").failures.count
    assert (tmp_path / "outside" / "kept").is_dir() and not (tmp_path / "v").exists()


def test_a_root_that_is_a_link_or_is_gone(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "v").symlink_to(tmp_path / "outside")
    assert "v: " in remove(tmp_path / "v").failures.text()
    assert (tmp_path / "outside").is_dir()
    assert not remove(tmp_path / "nothing").failures.count


def test_without_openat2_mount_ids_are_compared(tmp_path: Path) -> None:
    """The way of older kernels, on directories of the same mount and on /proc below /."""
    (tmp_path / "a").mkdir()
    parent = descriptors.open_root(tmp_path)
    fd = beneath.open_child(parent, b"a")
    assert beneath.mount_id(fd) == beneath.mount_id(parent) != 0
    root = descriptors.open_root(Path("/"))
    with pytest.raises(OSError, match="cross-device"):
        beneath.open_child(root, b"proc")
    proc = os.open("/proc", os.O_RDONLY)
    assert beneath.mount_id(proc) != beneath.mount_id(root)
    for each in (parent, fd, root, proc):
        os.close(each)


def test_a_tree_that_is_filled_meanwhile_comes_to_an_end(tmp_path: Path) -> None:
    root, stop = tmp_path / "v", threading.Event()
    (root / "busy").mkdir(parents=True)

    def fill() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            try:
                (root / "busy" / str(n)).touch()
            except OSError:
                return

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        work = remove(root)
    finally:
        stop.set()
        thread.join()
    assert not root.exists() or work.failures.count or list(root.iterdir())
    assert not remove(root).failures.count and not root.exists()


def test_a_directory_that_is_moved_away_leads_nowhere_else(tmp_path: Path) -> None:
    """While it is in a directory, that is moved out of the tree: nothing outside is removed."""
    (tmp_path / "v" / "in" / "deep").mkdir(parents=True)
    for n in range(2 * removal.ENTRIES_A_TURN):
        (tmp_path / "v" / "in" / "deep" / str(n)).touch()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    work = Removal(OwnDirectory.at(str(tmp_path)), "v")
    assert not work.turn()
    (tmp_path / "v" / "in" / "deep").rename(tmp_path / "outside" / "deep")
    while not work.turn():
        pass
    assert (tmp_path / "outside" / "kept").exists() and not (tmp_path / "v").exists()


def test_a_removal_that_is_given_up_holds_nothing(tmp_path: Path) -> None:
    nest(tmp_path / "v", 400)
    before = len(open_now())
    work = Removal(OwnDirectory.at(str(tmp_path)), "v")
    work.turn()
    work.close()
    work.close()
    assert len(open_now()) == before
    assert not remove(tmp_path / "v").failures.count


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(NAMES, TREES, max_size=6))
def test_every_tree_goes(tmp_path: Path, tree: dict[bytes, object]) -> None:
    build(tmp_path / "v", tree)
    assert not remove(tmp_path / "v").failures.count
    assert not (tmp_path / "v").exists()
