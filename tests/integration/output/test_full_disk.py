"""A log on a real file system without a free page."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from executor.output.logfile import LogFile
from executor.output.places import moved_bytes
from executor.own_directory import OwnDirectory

LIMIT_BYTES = 1000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", directory], check=True)
    yield directory
    subprocess.run(["umount", directory], check=True)


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


def test_a_rotation_that_fails_on_a_full_disk_leaves_every_name(disk: Path) -> None:
    path = disk / "app.stdout"
    line = b"x" * 99 + b"\n"
    with closing(LogFile(OwnDirectory.at(str(disk)), path.name, LIMIT_BYTES, 2)) as log:
        log.append(bytearray(line * 10), LIMIT_BYTES)
        fill(disk / "filler")
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                log.append(bytearray(line), len(line))
            log.lose(bytearray(line), len(line))
            assert path.read_bytes() == line * 10
            assert not (disk / "app.stdout.1").exists() and moved_bytes(OwnDirectory.at(str(disk)), path.name) == 0
        (disk / "filler").unlink()
        log.append(bytearray(line), len(line))
    assert path.read_bytes() == line
    assert (disk / "app.stdout.1").read_bytes() == line * 10 and moved_bytes(
        OwnDirectory.at(str(disk)), path.name
    ) == LIMIT_BYTES
