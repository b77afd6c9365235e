"""Logs in the format of the CRI: what a container wrote comes back, through rotation, pieces and full disks."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from executor.cli.pods.logfile import LogFile as Reader
from executor.cli.pods.logfile import Part
from executor.output import cri, times
from executor.output.logfile import LogFile
from executor.own_directory import OwnDirectory

LIMIT_BYTES = 1000
ENTRY = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout [FP] [^\n]*\n")
AT_NS = 1_767_322_845_000_000_006


def encoded(data: bytes, most_bytes: int = cri.CONTENT_BYTES) -> bytes:
    return bytes(cri.encode(bytearray(data), 0, len(data), "stdout", AT_NS, most_bytes=most_bytes).data)


def test_a_line_is_an_entry() -> None:
    assert encoded(b"a line\n\nrest") == (
        b"2026-01-02T03:00:45.000000006Z stdout F a line\n"
        b"2026-01-02T03:00:45.000000006Z stdout F \n"
        b"2026-01-02T03:00:45.000000006Z stdout P rest\n"
    )


@pytest.mark.parametrize("most_bytes", [1, 3, 4, 5, 100])
@pytest.mark.parametrize(
    "data", [b"abcd\n", b"abcd", b"\n", b"\n\na\n", b"\x00\xff\xc3\n\xa9\r\n", os.urandom(500), b"stdout F x\n"]
)
def test_what_is_encoded_is_decoded(data: bytes, most_bytes: int) -> None:
    found = encoded(data, most_bytes)
    assert ENTRY.sub(b"", found) == b""
    end = b"" if data.endswith(b"\n") else cri.line_end("stdout", AT_NS)
    assert cri.decode(found + end) == data + (b"" if data.endswith(b"\n") else b"\n")


def test_what_is_no_entry_is_a_line() -> None:
    assert cri.decode(b"2026-01-02T\n2026-01-02T03:00:45Z other F a b\n\n") == (
        b"2026-01-02T\n2026-01-02T03:00:45Z other F a b\n\n"
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.stdout"


def opened(path: Path, max_bytes: int = LIMIT_BYTES, files: int = 100) -> LogFile:
    return LogFile(OwnDirectory.at(str(path.parent)), path.name, max_bytes, files, stream="stdout")


@pytest.fixture
def log(path: Path) -> Iterator[LogFile]:
    with closing(opened(path)) as made:
        yield made


def append(log: LogFile, data: bytes) -> None:
    log.append(bytearray(data), len(data))
    assert log.written_bytes == len(data)


def kept(path: Path) -> list[Path]:
    """The oldest first."""
    return [*sorted(path.parent.glob("app.stdout.*"), key=lambda each: -int(each.suffix[1:])), path]


def whole(path: Path) -> bytes:
    return cri.decode(b"".join(each.read_bytes() for each in kept(path)))


EVERYTHING = Part(everything=True)


def shown(path: Path, part: Part = EVERYTHING) -> bytes:
    with closing(Reader("stdout", path)) as reader:
        return b"".join(reader.text(reader.begin(part), last=True))


@pytest.mark.parametrize("piece_bytes", [1, 7, 333, 1000, 5000])
def test_rotation_loses_nothing_and_every_file_has_whole_entries(path: Path, log: LogFile, piece_bytes: int) -> None:
    data = b"".join(b"line %d \x00\xff%s\n" % (number, b"x" * (number % 90)) for number in range(150))
    data += b"y" * 3000 + b"\nend\n"
    if piece_bytes == 1:
        data = data[-3200:-2500] + b"\n"
    for at in range(0, len(data), piece_bytes):
        append(log, data[at : at + piece_bytes])
    files = kept(path)
    assert len(files) > 3 and all(each.stat().st_size <= LIMIT_BYTES for each in files)
    assert all(ENTRY.sub(b"", each.read_bytes()) == b"" for each in files)
    assert whole(path) == shown(path) == data


def test_a_run_ends_its_last_line(path: Path, log: LogFile) -> None:
    append(log, b"no end")
    log.end_line()
    log.begin_run()
    append(log, b"next\n")
    assert whole(path) == b"no end\nnext\n"


def test_a_writer_that_comes_later_goes_on_in_the_line(path: Path, log: LogFile) -> None:
    append(log, b"first ")
    log.close()
    with closing(opened(path)) as second:
        append(second, b"half\nlast")
    with closing(opened(path)) as third:
        third.open()
        third.begin_run()
        append(third, b"run\n")
    assert whole(path) == b"first half\nlast\nrun\n"


def test_after_a_full_disk_a_whole_line_begins(path: Path, log: LogFile, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, b"kept\npiece")
    real = os.write

    def refuse(file: int, data: memoryview) -> int:
        monkeypatch.setattr(os, "write", full)
        return real(file, data[:60])  # one entry, and a part of the next one

    def full(_file: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", refuse)
    data = bytearray(b" a\nlost\nlost too")
    with pytest.raises(OSError, match="full"):
        log.append(data, len(data))
    assert log.written_bytes == len(b" a\n")
    monkeypatch.setattr(os, "write", real)
    log.lose(data, len(data))
    append_rest = bytearray(b" of it\nagain\n")
    log.append(append_rest, len(append_rest))
    assert (log.skipped_bytes, log.written_bytes) == (len(b" of it\n"), len(b"again\n"))
    lines = whole(path).split(b"\n")
    assert lines[:2] == [b"kept", b"piece a"] and lines[-2:] == [b"again", b""]


def test_readers_know_the_format_by_the_index(path: Path, log: LogFile) -> None:
    log.open()
    log.begin_run()
    append(log, b"one\ntwo ")
    append(log, b"two\nthree\n")
    assert times.is_cri(times.read(OwnDirectory.at(str(path.parent)), path.name))
    assert shown(path, Part(lines=2)) == b"two two\nthree\n"
    with closing(Reader("stdout", path)) as reader:
        lines = list(reader.lines(reader.begin(), last=True))
    assert [line for _, line in lines] == [b"one", b"two two", b"three"]
    assert [place for place, _ in lines] == sorted(place for place, _ in lines)


def test_a_log_of_another_cluster_that_is_printed_stays_as_it_is(path: Path) -> None:
    with closing(LogFile(OwnDirectory.at(str(path.parent)), path.name, LIMIT_BYTES, 2)) as raw:
        append(raw, encoded(b"a\n"))
    assert shown(path) == encoded(b"a\n")
