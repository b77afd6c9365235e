"""journald and syslog: what a datagram socket in their place receives. The real ones are in tests/packages."""

from __future__ import annotations

import array
import io
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.log.targets import Journald, SandboxFile, Syslog

RECORD = {"time": "T", "level": "info", "code": "pod.running", "message": "the pod runs", "pod": "pod-1", "ips": ["a"]}


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "log"))
        bound.settimeout(5)
        yield bound


def fields(datagram: bytes) -> dict[str, str]:
    """As journald reads them."""
    found, rest = {}, io.BytesIO(datagram)
    while line := rest.readline():
        name, equals, value = line.rstrip(b"\n").partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest.read(8))
            value = rest.read(size)
            assert rest.read(1) == b"\n"
        found[name.decode()] = value.decode()
    return found


def test_the_journal_gets_a_field_for_each_key(listener: socket.socket, tmp_path: Path) -> None:
    record = {**RECORD, "exception": "Trace\nback=1\n"}
    assert Journald(str(tmp_path / "log")).send("warning", record, "")
    assert fields(listener.recv(65536)) == {
        "MESSAGE": "the pod runs pod=pod-1",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "mesos-pod-executor",
        "MPE_LEVEL": "info",
        "MPE_CODE": "pod.running",
        "MPE_POD": "pod-1",
        "MPE_IPS": '["a"]',
        "MPE_EXCEPTION": "Trace\nback=1\n",
    }


def test_a_record_larger_than_a_datagram_comes_as_a_sealed_file(listener: socket.socket, tmp_path: Path) -> None:
    assert Journald(str(tmp_path / "log")).send("error", {**RECORD, "text": "x" * 1_000_000}, "")
    data, ancillary, _, _ = listener.recvmsg(10, socket.CMSG_SPACE(4))
    descriptors = array.array("i", ancillary[0][2])
    with os.fdopen(descriptors[0], "rb") as file:
        file.seek(0)
        assert (data, len(fields(file.read())["MPE_TEXT"])) == (b"", 1_000_000)


def test_a_syslog_that_hangs_holds_up_nothing(listener: socket.socket, tmp_path: Path) -> None:
    """Its queue is full, and nobody reads: the next line goes to stderr."""
    syslog = Syslog(str(tmp_path / "log"))
    taken = [syslog.send("info", RECORD, "x" * 1000) for _ in range(2000)]
    assert taken[0] and not taken[-1]


def test_syslog_gets_the_line_with_facility_and_severity(listener: socket.socket, tmp_path: Path) -> None:
    assert Syslog(str(tmp_path / "log")).send("error", RECORD, '{"a": 1}')
    assert listener.recv(65536).decode() == f'<{3 * 8 + 3}>mesos-pod-executor[{os.getpid()}]: {{"a": 1}}'


def test_what_cannot_be_sent_is_told_until_the_peer_is_back(tmp_path: Path) -> None:
    path = tmp_path / "log"
    target = Journald(str(path))
    assert not target.send("info", RECORD, "")
    for _ in range(2):  # it restarts
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
            bound.bind(str(path))
            assert target.send("info", RECORD, "")
        path.unlink()
        assert not target.send("info", RECORD, "")


def test_a_file_of_its_own_rotates(tmp_path: Path) -> None:
    log = SandboxFile(str(tmp_path), 1000)
    lines = [f"line {number} " + "x" * 90 for number in range(25)]
    assert all(log.send("info", RECORD, line) for line in lines)
    log.close()
    newest, older = (tmp_path / name for name in ("executor.log", "executor.log.1"))
    kept = (older.read_text() + newest.read_text()).splitlines()
    assert kept == lines[-len(kept) :] and len(kept) > 9, "in order, nothing between is missing"
    assert max(newest.stat().st_size, older.stat().st_size) <= 1000
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("place", ["FIFO", "link", "directory"])
def test_what_stands_in_the_place_of_the_file_takes_no_line(tmp_path: Path, place: str) -> None:
    """The lines go to stderr, at once, and to no other file."""
    path, outside = tmp_path / "executor.log", tmp_path / "outside"
    outside.write_text("as it was")
    if place == "FIFO":
        os.mkfifo(path)
    elif place == "link":
        path.symlink_to(outside)
    else:
        path.mkdir()
    log, taken = SandboxFile(str(tmp_path), 1000), list[bool]()
    sender = threading.Thread(target=lambda: taken.extend(log.send("info", RECORD, "line") for _ in "ab"), daemon=True)
    sender.start()
    sender.join(5)
    if sender.is_alive():  # it waits for a reader of the FIFO, and holds a lock that Python needs at its end
        os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert taken == [False, False]
    assert outside.read_text() == "as it was"


def test_a_file_that_cannot_be_written_is_told_until_it_can(tmp_path: Path) -> None:
    log = SandboxFile(str(tmp_path / "later"), 1000)
    assert not log.send("info", RECORD, "lost here, and on stderr instead")
    (tmp_path / "later").mkdir()
    assert log.send("info", RECORD, "kept")
    log.close()
    assert (tmp_path / "later/executor.log").read_text() == "kept\n"
