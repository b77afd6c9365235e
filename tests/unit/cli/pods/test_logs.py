"""A log file that is read while it is written and rotated: nothing is left out unsaid, nothing is there twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from executor.cli.pods.logfile import LogFile, Part
from executor.errors import NotFound
from executor.output.logfile import LogFile as Written
from executor.output.places import READER_S
from executor.own_directory import OwnDirectory

PIECE_BYTES = 20_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.stdout"
    path.touch()
    return path


@pytest.fixture
def file(log: Path) -> Iterator[LogFile]:
    with closing(LogFile("stdout", log)) as opened:
        yield opened


def write(log: Path, numbers: range, *, files: int) -> bytes:
    """As the log writer does."""
    data = bytearray(b"".join(b"%d\n" % number for number in numbers))
    with closing(Written(OwnDirectory.at(str(log.parent)), log.name, PIECE_BYTES, files)) as written:
        written.append(data, len(data))
    return bytes(data)


LINES = 150_000


def followed(log: Path) -> tuple[bytes, int, float]:
    """What a reader gets of a log that is written at full speed, the bytes it misses, its slowest read in seconds."""
    writer = threading.Thread(
        target=lambda: [write(log, range(at, at + 100), files=200) for at in range(0, LINES, 100)]
    )
    found, slowest_s = list[bytes](), 0.0
    with closing(LogFile("stdout", log)) as file:
        found += file.begin()
        writer.start()
        is_last = False
        while not is_last:
            is_last = not writer.is_alive()
            begin_s = time.monotonic()
            for block in file.more():
                slowest_s = max(slowest_s, time.monotonic() - begin_s)
                found.append(block)
                begin_s = time.monotonic()
        return b"".join(found), file.missed(), slowest_s


def test_it_is_followed_through_any_number_of_rotations(tmp_path: Path) -> None:
    """At full speed, in threads: the reader meets every moment of a rotation. One that is held up for so long that the
    writer does not wait for it is no proof of anything.
    """
    for number in range(5):
        log = tmp_path / str(number) / "app.stdout"
        log.parent.mkdir()
        log.touch()
        found, missed, slowest_s = followed(log)
        if slowest_s < READER_S:
            break
    assert found == b"".join(b"%d\n" % line for line in range(LINES))
    assert missed == 0
    assert len(list(log.parent.glob("app.stdout.*"))) > 1, "it was rotated meanwhile"


def test_several_rotations_between_two_reads(log: Path, file: LogFile) -> None:
    seen, written = b"".join(file.begin()), b""
    for at in range(0, 40_000, 10_000):
        written += write(log, range(at, at + 10_000), files=20)
        if at == 10_000:
            seen += b"".join(file.more())
    assert seen + b"".join(file.more()) == written
    assert file.missed() == 0


def test_what_was_rotated_away_is_counted(log: Path, file: LogFile) -> None:
    seen = b"".join(file.begin())
    written = write(log, range(40_000), files=2)
    seen += b"".join(file.more())
    assert 2 * PIECE_BYTES * 0.8 < len(seen) < 3 * PIECE_BYTES
    assert written.endswith(seen)
    assert file.missed() == len(written) - len(seen)
    assert file.missed() == 0, "said once"


def test_all_begins_with_the_oldest_that_is_kept_and_says_what_is_gone(log: Path, file: LogFile) -> None:
    written = write(log, range(40_000), files=3)
    seen = b"".join(file.begin(Part(everything=True)))
    assert written.endswith(seen) and len(seen) == sum(path.stat().st_size for path in log.parent.glob("app.stdout*"))
    assert file.missed() == len(written) - len(seen) > 0


def test_lines_are_whole_where_each_is_a_document(log: Path, file: LogFile) -> None:
    write(log, range(40_000), files=3)
    with log.open("ab") as end:
        end.write(b"no end")
    found = list(file.lines(file.begin(Part(everything=True)), last=False))
    lines = [line for _, line in found]
    assert lines == [b"%d" % number for number in range(40_000 - len(lines), 40_000)]
    assert [place for place, _ in found[1:]] == [place + len(line) + 1 for place, line in found[:-1]]
    assert [line for _, line in file.lines(file.more(), last=True)] == [b"no end"]


def test_a_file_that_somebody_emptied_is_read_from_its_beginning(log: Path, file: LogFile) -> None:
    log.write_bytes(b"a long first line\n")
    assert b"".join(file.begin()) == b"a long first line\n"
    log.write_bytes(b"new\n")
    assert b"".join(file.more()) == b"new\n"


def test_a_file_that_another_program_renamed_is_read_to_its_end_first(log: Path, file: LogFile) -> None:
    log.write_bytes(b"one\n")
    assert b"".join(file.begin()) == b"one\n"
    with log.open("ab") as old:
        old.write(b"two\n")
    log.rename(log.with_name("app.stdout.old"))
    log.write_bytes(b"three\n")
    assert b"".join(file.more()) == b"two\nthree\n"


DAY_S = 1_700_000_000.0
SECONDS = 10


@pytest.fixture
def timed(log: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs, each of which wrote a line of its own each minute; of a log with several files."""
    written = Written(OwnDirectory.at(str(log.parent)), log.name, 250, 9)
    with closing(written):
        for minute in range(3 * SECONDS):
            monkeypatch.setattr("time.time", lambda minute=minute: DAY_S + minute * 60)
            written.open()
            if minute % SECONDS == 0:
                written.begin_run()
            data = bytearray(b"run %d minute %02d\n" % (minute // SECONDS, minute))
            written.append(data, len(data))
    return log


def minutes(log: Path, part: Part) -> list[int]:
    with closing(LogFile("stdout", log)) as file:
        found = b"".join(file.begin(part)).decode()
        assert file.missed() == 0
    assert not found or found.endswith("\n")
    return [int(line.split()[-1]) for line in found.splitlines()]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(everything=True), range(30)),
        (Part(previous=True), range(10, 20)),
        (Part(previous=True, lines=3), range(17, 20)),
        (Part(since_s=DAY_S + 5 * 60), range(5, 30)),
        (Part(since_s=DAY_S + 5 * 60, until_s=DAY_S + 8 * 60), range(5, 9)),
        (Part(everything=True, until_s=DAY_S + 8 * 60), range(9)),
        (Part(everything=True, until_s=DAY_S - 60), range(0)),
        (Part(since_s=DAY_S + 5 * 60, lines=2), range(28, 30)),
        (Part(since_s=DAY_S + 28 * 60, lines=20), range(28, 30)),
        (Part(since_s=DAY_S + 99 * 60), range(0)),
        (Part(previous=True, since_s=DAY_S + 18 * 60), range(18, 20)),
        (Part(everything=True, lines=25), range(5, 30)),
        (Part(everything=True, lines=0), range(0)),
    ],
)
def test_parts_of_a_log(timed: Path, part: Part, expected: range) -> None:
    assert minutes(timed, part) == list(expected)


def test_a_log_without_restarts_has_no_previous_run(log: Path) -> None:
    write(log, range(10), files=3)
    with closing(LogFile("stdout", log)) as file, pytest.raises(NotFound, match="no earlier run"):
        file.begin(Part(previous=True))


def test_a_log_without_an_index_is_shown_whole(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    with closing(LogFile("stdout", log)) as file:
        assert b"".join(file.begin(Part(since_s=DAY_S))) == b"one\ntwo\n"
