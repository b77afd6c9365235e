"""Which directories make up the root file system of a container that has not run yet; how old kernels look into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executor.containerd.types import Mount
from executor.pod.rootfs import layers, open_without_links

OVERLAY = ("index=off", "workdir=/s/3/work", "upperdir=/s/3/fs", "lowerdir=/s/2/fs:/s/1/fs", "userxattr")


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        (Mount("overlay", "overlay", OVERLAY), (["/s/2/fs", "/s/1/fs"], ["index=off", "userxattr"])),
        (Mount("overlay", "overlay", ("lowerdir=/s/1/fs", "upperdir=/u", "workdir=/w")), (["/s/1/fs"], [])),
        (Mount("bind", "/s/1/fs", ("rw", "rbind")), (["/s/1/fs"], [])),
    ],
)
def test_layers(mount: Mount, found: tuple[list[str], list[str]]) -> None:
    assert layers([mount]) == found


def opened(root: Path, path: str) -> str:
    """What is at `path` below `root`."""
    top = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        found = open_without_links(top, path)
    finally:
        os.close(top)
    try:
        return str(Path(f"/proc/self/fd/{found}").readlink())
    finally:
        os.close(found)


def test_without_openat2_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").touch()
    (tmp_path / "etc/group").symlink_to("/etc/group")
    (tmp_path / "up").symlink_to("/etc")
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    assert opened(tmp_path, "etc/passwd") == str(tmp_path / "etc/passwd")
    for path in ("etc/group", "up/passwd"):
        with pytest.raises(OSError, match="a symbolic link"):
            opened(tmp_path, path)
    for path in ("etc/shadow", "etc/passwd/x", "usr/x"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            opened(tmp_path, path)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
