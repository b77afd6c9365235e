"""Rotation of log files that somebody appends to meanwhile: nothing lost, nothing twice, within the size."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.pod.logfiles import LOOK_MAX_S, LOOK_MIN_S, Look, Rotated, moved_bytes, next_look_s, older, rotate


def cuts(directory: Path) -> bool:
    """Whether the file system there can cut the front off a file."""
    probe = directory / "probe"
    probe.write_bytes(bytes(1 << 20))
    rotate(probe, 0, 1)
    return probe.stat().st_size > 0


def whole(path: Path) -> bytes:
    """Everything that is kept, oldest first."""
    numbers = sorted((int(each.suffix[1:]) for each in path.parent.glob(f"{path.name}.*")), reverse=True)
    return b"".join(older(path, number).read_bytes() for number in numbers) + path.read_bytes()


def names(directory: Path) -> list[str]:
    return sorted(each.name for each in directory.iterdir() if each.name != ".app.stdout.moved")


@pytest.fixture
def no_cut() -> Iterator[Path]:
    """A directory in memory, where a file can only be truncated."""
    directory = Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield directory
    shutil.rmtree(directory)


def test_the_front_goes_to_the_older_file(tmp_path: Path) -> None:
    path = tmp_path / "app.stdout"
    data = os.urandom(1_000_003)
    path.write_bytes(data)
    inode = path.stat().st_ino
    rotated = rotate(path, 2, 1_000_000)
    assert rotated == Rotated(older(path, 1).stat().st_size)
    assert path.stat().st_ino == inode and path.stat().st_size < 65_537
    assert whole(path) == data
    assert moved_bytes(path) == rotated.kept_bytes
    assert not [each for each in tmp_path.iterdir() if "rotating" in each.name]


def test_older_files_move_up_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "app.stdout"
    path.touch()
    data = b""
    for number in range(5):
        part = bytes([65 + number]) * 100_000
        data += part
        with path.open("ab") as file:
            file.write(part)
        rotate(path, 3, 100_000)
    assert names(tmp_path) == [
        "app.stdout",
        "app.stdout.1",
        "app.stdout.2",
        "app.stdout.3",
    ]
    assert data.endswith(whole(path)) and len(whole(path)) > 300_000


def test_without_older_files_the_front_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "app.stdout"
    data = os.urandom(100_000)
    path.write_bytes(data)
    assert rotate(path, 0, 50_000) == Rotated(0)
    assert names(tmp_path) == ["app.stdout"]
    assert data.endswith(path.read_bytes()) and path.stat().st_size < 65_537


def test_a_writer_loses_nothing(tmp_path: Path) -> None:
    """It has the file open in append mode all the time, as the shim has."""
    if not cuts(tmp_path):
        pytest.skip("this file system can only truncate")
    path = tmp_path / "app.stdout"
    path.touch()
    lines = 200_000

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for number in range(0, lines, 10):
                file.write(b"".join(b"%d\n" % each for each in range(number, number + 10)))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        assert rotate(path, 40, 50_000).dropped_bytes == 0
    writer.join()
    rotate(path, 40, 50_000)
    assert len(names(tmp_path)) > 20
    assert whole(path) == b"".join(b"%d\n" % number for number in range(lines))


def test_where_it_can_only_be_truncated_what_is_there_is_kept(no_cut: Path) -> None:
    path = no_cut / "app.stdout"
    path.write_bytes(b"x" * 100_001)
    assert rotate(path, 1, 100_000) == Rotated(100_001)
    assert (path.stat().st_size, older(path, 1).stat().st_size, moved_bytes(path)) == (0, 100_001, 100_001)


def test_a_link_is_not_followed_and_a_missing_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(OSError, match="symbolic links"):
        rotate(tmp_path / "link", 1, 1000)
    with pytest.raises(FileNotFoundError):
        rotate(tmp_path / "none", 1, 1000)
    assert (tmp_path / "target").stat().st_size == 100_000


@pytest.mark.parametrize("size_bytes", [4096 * 25, 4096 * 25 + 1, 1_000_000, 10_000_001])
@pytest.mark.parametrize("files", [0, 1, 3])
def test_whatever_has_come_since_the_last_look_ends_in_files_of_the_size(
    tmp_path: Path, files: int, size_bytes: int
) -> None:
    if not cuts(tmp_path):
        pytest.skip("this file system can only truncate")
    path = tmp_path / "app.stdout"
    data = os.urandom(size_bytes)
    path.write_bytes(data[:1000])
    if files:
        older(path, 1).write_bytes(b"of a former rotation")
    with path.open("ab") as file:
        file.write(data[1000:])
    rotate(path, files, 4096 * 25)
    found = [path, *(each for number in range(1, 9) if (each := older(path, number)).exists())]
    assert all(each.stat().st_size <= 4096 * 25 for each in found)
    assert len(found) <= files + 1
    assert (b"of a former rotation" + data).endswith(whole(path))
    assert len(whole(path)) >= min(size_bytes, files * 4096 * 25)


def test_a_reader_that_holds_the_lock_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "app.stdout"
    path.write_bytes(b"x" * 100_000)
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        rotate(path, 1, 50_000)
    assert path.stat().st_size < 50_000


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, Look(0, 0, 0.0), LOOK_MAX_S),
        (None, Look(900, 900, 0.0), LOOK_MAX_S / 5),
        (Look(100, 100, 0.0), Look(100, 100, 10.0), LOOK_MAX_S),
        (Look(0, 0, 0.0), Look(200, 200, 1.0), 2.0),
        (Look(0, 0, 0.0), Look(999, 999, 0.1), LOOK_MIN_S),
        (Look(0, 0, 0.0), Look(1, 1, 100.0), LOOK_MAX_S),
        (Look(900, 900, 0.0), Look(5000, 5000, 1.0), LOOK_MIN_S),
        (Look(1200, 200, 0.0), Look(1200, 200, 1.0), 0.4),  # as fast as it is rotated, it is not quiet
    ],
)
def test_a_fast_writer_is_looked_at_more_often(before: Look | None, now: Look, expected: float) -> None:
    assert next_look_s(before, now, 1000) == expected
