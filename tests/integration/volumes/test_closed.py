"""Closed directories that an allowed directory of the node would show by a mount, of which no name says anything."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.spec.volume_model import HostPath
from executor.volumes import host_path

pytestmark = pytest.mark.root

KERNEL = ("/proc", "/sys", "/dev")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """`top/srv` is what a role may use, `top/own` is closed; they are on one file system."""
    top = tmp_path / "top"
    top.mkdir()
    mount("-t", "tmpfs", "node", top)
    for name in ("srv/data", "own/sub"):
        (top / name).mkdir(parents=True)
    yield top
    subprocess.run(["umount", "-R", "-l", str(top)], check=True)


def mount(*words: object) -> None:
    Path(str(words[-1])).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *map(str, words)], check=True)


def allowed(node: Path, name: str = "", kind: str = "") -> HostPath:
    closed = (str(node / "own"), *KERNEL)
    path, makes = str(node / "srv" / name), kind == "DirectoryOrCreate"
    return HostPath("v", path, kind, beneath=str(node / "srv"), closed=closed, makes_missing=makes)


def privileged(node: Path, name: str = "") -> HostPath:
    return HostPath("v", str(node / "srv" / name), closed=(str(node / "own"),))


@pytest.mark.parametrize("source", ["own", "own/sub", "."])
def test_a_closed_directory_that_is_mounted_there(node: Path, source: str) -> None:
    """`mount --bind` gives it another name; the mount of what is around it shows it as well."""
    mount("--bind", node / source, node / "srv/data/again")
    for name in ("", "data", "data/again"):
        with pytest.raises(Failure, match="would show") as caught:
            host_path.ensure(allowed(node, name))
        assert str(node / "own") in caught.value.message
    (node / "srv/other").mkdir()
    host_path.ensure(allowed(node, "other"))


def test_one_whose_disk_is_shown_by_its_own_name(node: Path) -> None:
    """As /var/lib/containerd, where it is a mount of a directory of the disk that the role may use."""
    mount("--bind", node / "srv/data", node / "own")
    for name in ("", "data", "data/x"):
        with pytest.raises(Failure, match="would show"):
            host_path.ensure(allowed(node, name, "DirectoryOrCreate"))
    assert list((node / "own").iterdir()) == [], "nothing is made there"
    with pytest.raises(Failure, match="would show"):
        host_path.ensure(privileged(node, "data"))
    host_path.ensure(privileged(node))


@pytest.mark.parametrize(
    ("kind", "closed"), [("proc", "/proc"), ("sysfs", "/sys"), ("devpts", "/dev"), ("devtmpfs", "/dev")]
)
def test_a_file_system_of_the_kernel(node: Path, kind: str, closed: str) -> None:
    """As in the root of a chroot(2)."""
    mount("-t", kind, kind, node / "srv/data/root")
    for name in ("", "data", "data/root"):
        with pytest.raises(Failure, match=f"would show {closed}"):
            host_path.ensure(allowed(node, name))
    host_path.ensure(privileged(node, "data/root"))


def test_other_mounts_are_shown(node: Path) -> None:
    mount("-t", "tmpfs", "disk", node / "srv/disk")
    mount("--bind", node / "srv/data", node / "srv/twice")
    mount("--bind", node / "srv/data", node / "own/part")
    for name in ("", "disk", "twice", "data", "disk/new"):
        host_path.ensure(allowed(node, name, "DirectoryOrCreate"))


def test_a_device_that_is_listed(node: Path) -> None:
    closed = (str(node / "own"), "/proc", "/sys")
    host_path.ensure(HostPath("v", "/dev/null", "CharDevice", beneath="/dev/null", closed=closed))
