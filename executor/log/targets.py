"""What may take the log in the place of stderr: a file of its own, systemd's journal by its native protocol, syslog.

To the system's logs a record is one datagram. What cannot be written or sent is said so, and goes to stderr instead:
nothing is lost without a word. No socket is kept: a journal that restarts is found again with the next record.

Source: systemd's JOURNAL_NATIVE_PROTOCOL.md; RFC 3164 as spoken on /dev/log.
"""

from __future__ import annotations

import array
import fcntl
import json
import logging
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from executor.own_directory import OwnDirectory

JOURNAL: Final = "/run/systemd/journal/socket"
SYSLOG: Final = "/dev/log"
FILE: Final = "executor.log"
IDENTIFIER: Final = "mesos-pod-executor"
PREFIX: Final = "MPE_"
"""The prefix of the journal's fields, one for each key of a line: `journalctl MPE_POD=pod-97802374dad8`."""
_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3}
_FACILITY: Final = 3 << 3  # daemon
_LARGEST_BYTES: Final = 60_000
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL

Record = Mapping[str, Any]


class Target(Protocol):
    def send(self, level: str, record: Record, line: str, /) -> bool:
        """Whether it was taken. `line` is the record as JSON."""


class SandboxFile:
    """`executor.log` in `directory`, rotated at `max_bytes` into `executor.log.1`."""

    def __init__(self, directory: str, max_bytes: int) -> None:
        from logging.handlers import RotatingFileHandler

        path = Path(directory) / FILE
        self._directory = OwnDirectory(directory)
        self._handler = RotatingFileHandler(path, maxBytes=max_bytes, backupCount=1, delay=True, encoding="utf-8")
        self._handler._open = self._open  # type: ignore[method-assign, assignment]
        self._handler.handleError = self._note_failure  # type: ignore[method-assign, assignment]
        self._failed = False

    def send(self, _: str, __: Record, line: str) -> bool:
        """Whether it was written; after a failure it is tried again with the next line."""
        self._failed = False
        self._handler.handle(logging.LogRecord("", logging.INFO, "", 0, line, None, None))
        return not self._failed

    def close(self) -> None:
        """The next line opens it again."""
        self._handler.close()

    def _open(self) -> TextIO:
        """Others may write in the sandbox: no FIFO blocks the executor, and no link leads it to another file."""
        descriptor = self._directory.open_file(FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def _note_failure(self, _: logging.LogRecord) -> None:
        self._failed = True


class Syslog:
    """Not logging.handlers.SysLogHandler: its socket blocks, so a syslog that hangs would hold up every pod."""

    def __init__(self, path: str = SYSLOG) -> None:
        self._path = path

    def send(self, level: str, _: Record, line: str) -> bool:
        """Whether it was taken. Time and host are for the local syslog to add; the text is the line of JSON."""
        priority = _FACILITY | _PRIORITIES[level]
        return _sent(self._path, f"<{priority}>{IDENTIFIER}[{os.getpid()}]: {line}".encode(errors="replace"))


class Journald:
    def __init__(self, path: str = JOURNAL) -> None:
        self._path = path

    def send(self, level: str, record: Record, _: str) -> bool:
        """Whether it was taken."""
        datagram = entry(level, record)
        return _sent(self._path, datagram) if len(datagram) <= _LARGEST_BYTES else _sent_as_file(self._path, datagram)


def _sent(path: str, datagram: bytes, rights: Sequence[tuple[int, int, array.array[int]]] = ()) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as own:
        try:
            own.sendmsg([datagram], rights, 0, path)
        except OSError:
            return False
    return True


def _sent_as_file(path: str, datagram: bytes) -> bool:
    """A sealed one in memory, as the protocol has it for what is larger than a datagram."""
    descriptor = os.memfd_create(IDENTIFIER, os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    try:
        os.write(descriptor, datagram)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return _sent(path, b"", [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
    finally:
        os.close(descriptor)


def entry(level: str, record: Record) -> bytes:
    """The journal's fields. Pure."""
    fields = {
        "MESSAGE": _message(record),
        "PRIORITY": str(_PRIORITIES[level]),
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        **{PREFIX + key.upper(): _text(value) for key, value in record.items() if key not in ("message", "time")},
    }
    return b"".join(_field(name, text.encode(errors="replace")) for name, text in fields.items())


def _message(record: Record) -> str:
    """What a person reads in the journal: the words, and the keys that say of what."""
    shown = {key: record[key] for key in ("pod", "task", "revocation", "error", "subject") if key in record}
    return " ".join([str(record["message"]), *(f"{key}={_text(value)}" for key, value in shown.items())])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _field(name: str, value: bytes) -> bytes:
    if b"\n" in value:
        return name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n"
    return name.encode() + b"=" + value + b"\n"
