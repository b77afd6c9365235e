"""hostPath volumes on a directory of the test's own."""

from __future__ import annotations

import os
import socket
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


FITS = {
    "directory": {"", "Directory", "DirectoryOrCreate"},
    "file": {"", "File", "FileOrCreate"},
    "socket": {"", "Socket"},
    "nothing": {"DirectoryOrCreate", "FileOrCreate"},
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(("name", "fits"), FITS.items())
def test_what_is_there_must_be_of_the_type(node: Path, name: str, fits: set[str], kind: str) -> None:
    volume = HostPath("v", str(node / name), kind)
    if kind in fits:
        hostpaths.ensure(volume)
        hostpaths.ensure(volume)
        assert (node / name).exists()
    else:
        with pytest.raises(Failure) as caught:
            hostpaths.ensure(volume)
        assert caught.value.subject == str(node / name)


def test_a_device_and_directories_on_the_way(node: Path) -> None:
    hostpaths.ensure(HostPath("v", "/dev/null", "CharDevice"))
    hostpaths.ensure(HostPath("v", str(node / "a/b"), "DirectoryOrCreate"))
    assert (node / "a/b").stat().st_mode & 0o777 == 0o755
    with pytest.raises(Failure, match="No such file"):
        hostpaths.ensure(HostPath("v", str(node / "c/d"), "FileOrCreate"))
