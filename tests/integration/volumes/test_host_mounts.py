"""Mounts on the node: what the executor undoes is its own, and never what was mounted there by others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.volumes import host_mounts, mount_tree

pytestmark = pytest.mark.root


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def mounted(path: Path) -> bool:
    return str(path) in [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]


def bind(source: Path, target: Path) -> None:
    found, stage = os.open(source, os.O_PATH), target.parent / "stage"
    host_mounts.stage(stage)
    try:
        host_mounts.bind(found, target, stage / "part")
    finally:
        os.close(found)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A shared mount, as systemd makes all: `source` has a mount below it; `run` is where the executor mounts."""
    top = tmp_path / "node"
    top.mkdir()
    mount("-t", "tmpfs", "node", top)
    mount("--make-shared", top)
    below = top / "source/below"
    below.mkdir(parents=True)
    mount("-t", "tmpfs", "below", below)
    (below / "file").write_text("x")
    yield top
    subprocess.run(["umount", "-R", "-l", str(top)], check=False)


@pytest.mark.parametrize("remove", [host_mounts.unmount, mount_tree.remove], ids=["unmount", "remove"])
def test_what_is_mounted_below_the_source_stays(node: Path, remove: object) -> None:
    bind(node / "source", node / "run/part")
    assert (node / "run/part/below/file").read_text() == "x"
    if remove is host_mounts.unmount:
        host_mounts.unmount(node / "run/part")
    else:
        mount_tree.remove(node / "run")
    assert not mounted(node / "run/part") and not mounted(node / "run/part/below")
    assert (node / "source/below/file").read_text() == "x"


def test_leftovers_of_a_shared_bind_are_cut_from_their_source_first(node: Path) -> None:
    """As executors before this one made them."""
    (node / "run/part").mkdir(parents=True)
    mount("--rbind", node / "source", node / "run/part")
    assert mount_tree.remove(node / "run") == 2
    assert not (node / "run").exists()
    assert (node / "source/below/file").read_text() == "x"


def test_later_mounts_reach_the_copy_and_never_come_back_from_it(node: Path) -> None:
    bind(node / "source", node / "run/part")
    for name in ("later", "inner"):
        (node / "source" / name).mkdir()
    mount("-t", "tmpfs", "later", node / "source/later")
    assert mounted(node / "run/part/later")
    mount("-t", "tmpfs", "inner", node / "run/part/inner")
    assert not mounted(node / "source/inner")


def test_a_run_directory_behind_a_symbolic_link(node: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(node)
    own = tmp_path / "link/run/pod"
    host_mounts.tmpfs(own / "files", 1 << 20, mode=0o700)
    (own / "files/kept").touch()
    host_mounts.tmpfs(own / "files", 1 << 20, mode=0o700)
    assert (own / "files/kept").exists(), "it was mounted a second time"
    assert host_mounts.is_mounted(own / "files")
    assert mount_tree.remove(own) == 1
    assert not own.exists() and not mounted(node / "run/pod/files")


def test_a_removal_never_enters_a_mount(node: Path) -> None:
    """One that appears after all were unmounted: by propagation, or by a service of the node."""
    outside = node / "outside"
    (outside / "empty").mkdir(parents=True)
    (outside / "file").touch()
    (node / "run/a").mkdir(parents=True)
    mount("--bind", outside, node / "run/a")
    with pytest.raises(OSError, match="Invalid cross-device link"):
        mount_tree.remove_empty(node / "run")
    assert sorted(path.name for path in outside.iterdir()) == ["empty", "file"]


def test_a_file_with_content_is_reported_and_stays(node: Path) -> None:
    own = node / "run"
    (own / "a").mkdir(parents=True)
    (own / "a/file").write_text("x")
    with pytest.raises(OSError, match="content") as caught:
        mount_tree.remove(own)
    assert caught.value.filename == str(own / "a/file")
    assert (own / "a/file").read_text() == "x"


def test_what_is_deeper_than_the_executor_makes_it_is_reported(node: Path) -> None:
    deep = node / "run" / "/".join("d" * 60)
    deep.mkdir(parents=True)
    with pytest.raises(OSError, match="deeper"):
        mount_tree.remove(node / "run")
    assert deep.is_dir()


def test_nothing_there_is_success(node: Path) -> None:
    assert mount_tree.remove(node / "none") == 0


def test_any_name_is_found(node: Path) -> None:
    own = node / os.fsdecode(b"a b\n\\\t\xff#")
    host_mounts.tmpfs(own / "x", 1 << 20, mode=0o700)
    assert mount_tree.remove(own) == 1
    assert not own.exists()
