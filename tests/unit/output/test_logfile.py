"""A log on a real disk: within its exact size, whole lines where they fit, and on a line of its own after a hole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from executor.output.logfile import LogFile, fitting
from executor.output.places import Reading, moved_bytes
from executor.own_directory import OwnDirectory

LIMIT_BYTES = 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.stdout"


@pytest.fixture
def log(path: Path) -> Iterator[LogFile]:
    with closing(LogFile(OwnDirectory.at(str(path.parent)), path.name, LIMIT_BYTES, 2)) as opened:
        yield opened


def append(log: LogFile, data: bytes) -> None:
    log.append(bytearray(data), len(data))


def lose(log: LogFile, data: bytes) -> None:
    log.lose(bytearray(data), len(data))


def whole(path: Path) -> bytes:
    """All that is kept, the oldest first."""
    older = sorted(path.parent.glob("app.stdout.*"), reverse=True)
    return b"".join(each.read_bytes() for each in [*older, path])


@pytest.mark.parametrize("piece_bytes", [1, 7, 333, 1000, 1001, 50_000])
def test_no_file_ever_passes_its_size_and_nothing_between_is_lost(path: Path, log: LogFile, piece_bytes: int) -> None:
    data = b"".join(b"line %d\n" % number for number in range(0 if piece_bytes > 1 else 4_000, 5_000))
    for at in range(0, len(data), piece_bytes):
        append(log, data[at : at + piece_bytes])
        assert all(each.stat().st_size <= LIMIT_BYTES for each in path.parent.glob("app.stdout*"))
    kept = whole(path)
    assert data.endswith(kept) and 2 * LIMIT_BYTES < len(kept) <= 3 * LIMIT_BYTES
    assert all(each.read_bytes().startswith(b"line ") for each in path.parent.glob("app.stdout*")), "lines are whole"
    assert moved_bytes(OwnDirectory.at(str(path.parent)), path.name) == len(data) - path.stat().st_size


def test_what_has_no_lines_passes_through_unchanged(path: Path, log: LogFile) -> None:
    data = os.urandom(2_500).replace(b"\n", b"")
    append(log, data)
    assert whole(path) == data and path.stat().st_size == len(data) % LIMIT_BYTES


def test_without_older_files_only_the_latest_is_kept(path: Path) -> None:
    with closing(LogFile(OwnDirectory.at(str(path.parent)), path.name, LIMIT_BYTES, 0)) as log:
        append(log, b"123456789\n" * 1_005)
    assert path.read_bytes() == b"123456789\n" * 5 and len(list(path.parent.glob("app.stdout*"))) == 1


def test_without_a_limit_nothing_is_rotated(path: Path) -> None:
    with closing(LogFile(OwnDirectory.at(str(path.parent)), path.name, 0, 2)) as log:
        append(log, b"123456789\n" * 1_005)
    assert [each.name for each in path.parent.glob("[!.]*")] == ["app.stdout"] and path.stat().st_size == 10_050


def test_a_file_that_is_there_is_continued(path: Path, log: LogFile) -> None:
    path.write_bytes(b"x" * 995)
    append(log, b"y" * 10)
    assert path.read_bytes() == b"y" * 5 and path.with_name("app.stdout.1").read_bytes() == b"x" * 995 + b"y" * 5


@pytest.mark.parametrize("emptied", [True, False], ids=["emptied", "removed"])
def test_what_somebody_does_to_the_file_is_noticed(path: Path, log: LogFile, emptied: bool) -> None:
    append(log, b"x" * 990)
    path.write_bytes(b"") if emptied else path.unlink()
    append(log, b"y" * 900)
    assert path.read_bytes() == b"y" * 900 and not path.with_name("app.stdout.1").exists()


def test_after_a_hole_a_whole_line_begins(path: Path, log: LogFile) -> None:
    append(log, b"one\ntw")
    lose(log, b"o\nthre")
    append(log, b"e rest of a lost line\nfour\n")
    assert path.read_bytes() == b"one\ntw\nfour\n"
    assert log.skipped_bytes == len(b"e rest of a lost line\n") and log.written_bytes == len(b"four\n")


def test_after_a_hole_that_ends_with_a_line_nothing_more_is_lost(path: Path, log: LogFile) -> None:
    append(log, b"one\n")
    lose(log, b"two\n")
    append(log, b"three\n")
    assert path.read_bytes() == b"one\nthree\n" and log.skipped_bytes == 0


def test_the_rest_of_a_lost_line_may_come_alone(path: Path, log: LogFile) -> None:
    append(log, b"one\n")
    lose(log, b"tw")
    append(log, b"o\n")
    assert (log.written_bytes, log.skipped_bytes) == (0, 2)
    append(log, b"three\n")
    assert path.read_bytes() == b"one\nthree\n"


def test_after_a_hole_what_has_no_line_is_kept(path: Path, log: LogFile) -> None:
    lose(log, b"\0")
    append(log, b"\0\1\2")
    assert path.read_bytes() == b"\0\1\2"


def test_a_link_is_not_followed(path: Path, log: LogFile, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        append(log, b"x\n")


def test_a_reader_that_stops_delays_no_rotation_for_long(path: Path, log: LogFile) -> None:
    append(log, b"x\n")
    with Reading(OwnDirectory.at(str(path.parent)), path.name):
        append(log, b"123456789\n" * 150)
    assert whole(path) == b"x\n" + b"123456789\n" * 150


@pytest.mark.parametrize(
    ("data", "room", "fresh", "within", "end"),
    [
        (b"ab\ncd\n", 6, False, False, 6),
        (b"ab\ncd\n", 5, False, False, 3),
        (b"ab\ncd\n", 2, False, False, 0),
        (b"ab\ncd\n", 2, False, True, 2),
        (b"ab\ncd\n", 2, True, False, 2),
        (b"ab\ncd\n", 0, False, True, 0),
    ],
)
def test_where_a_piece_ends(data: bytes, room: int, fresh: bool, within: bool, end: int) -> None:
    assert fitting(bytearray(data), 0, len(data), room, fresh=fresh, within_line=within) == end
