"""The files of a journal as they are read again: `journal.jsonl` and the older `journal.jsonl.1` in a Mesos sandbox.

A framework can put anything into a Mesos sandbox, so the files are not trusted. Only a regular file is opened, and no
link is followed. The newest READ_MAX_BYTES of each file are read. A line counts only if it has the form of an event;
every other line is left out.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from executor import bounded_json
from executor.own_directory import OwnDirectory

Event = Mapping[str, Any]

FILE: Final = "journal.jsonl"
READ_MAX_BYTES: Final = 32 << 20
"""The part of each file: four times what [log] journal_max_bytes is by default."""
SEQ_MAX: Final = 1 << 53
"""Above every number that a journal reaches, and exact in any reader of JSON."""
_TEXTS: Final = ("task", "revocation")
_WORDS: Final = ("level", "code")
"""Printed as they are: other letters could steer a terminal."""
_NAMES: Final = ("pod", "container")
"""Names of files and directories are made of them."""
_LISTS: Final = ("tasks", "pids", "containers")
_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,252})?")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{0,100}")


def read(directory: Path) -> list[Event]:
    """Every event in the files of a Mesos sandbox, oldest first, whether its executor lives or not. Raises OSError if
    there is none, or what is there is no regular file.
    """
    older = directory / older_name(FILE)
    found = list(_events(read_newest(older))) if older.is_file() else []
    return [*found, *_events(read_newest(directory / FILE))]


def read_and_repair(path: Path) -> list[Event]:
    """For an executor that goes on in the sandbox of an earlier one: half a line at the end is cut off. Raises
    OSError.
    """
    file = open_regular(path, os.O_RDWR)
    try:
        data = _newest(file)
        torn = len(data) - (data.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(file, os.fstat(file).st_size - torn)
        return list(_events(data[: len(data) - torn]))
    finally:
        os.close(file)


def merged(journals: Iterable[Iterable[Event]]) -> list[Event]:
    """The events of several journals by time, those of each one in its own order: a clock may be set back. Pure."""

    def timed(events: Iterable[Event]) -> Iterator[tuple[str, Event]]:
        latest = ""
        for event in events:
            latest = max(latest, event["time"])
            yield latest, event

    return [event for _, event in heapq.merge(*map(timed, journals), key=lambda pair: pair[0])]


def older_name(name: str) -> str:
    """The name of the file into which the file `name` is rotated."""
    return f"{name}.1"


def open_regular(path: Path, flags: int, mode: int = 0o600) -> int:
    """A descriptor, for the caller to close. Raises OSError: ELOOP for a symbolic link, EPERM for what is not a regular
    file, and for those of open(2).
    """
    return OwnDirectory(str(path.parent)).open_file(path.name, flags, mode)


def read_newest(path: Path) -> bytes:
    """The end of a regular file, from the beginning of a line. Raises OSError."""
    file = open_regular(path, os.O_RDONLY)
    try:
        return _newest(file)
    finally:
        os.close(file)


def _newest(file: int) -> bytes:
    begin = max(0, os.fstat(file).st_size - READ_MAX_BYTES)
    data = os.pread(file, READ_MAX_BYTES, begin)
    return data[data.find(b"\n") + 1 :] if begin else data


def _events(data: bytes) -> Iterator[Event]:
    return (event for line in data.split(b"\n") if line and (event := parse(line)) is not None)


def parse(line: bytes) -> Event | None:
    """The event that a line holds; None for a line that this program does not write. Pure."""
    try:
        event = bounded_json.loads(line, bounded_json.LINE)
    except ValueError:
        return None
    return event if isinstance(event, dict) and _is_event(event) else None


def _is_event(event: dict[str, Any]) -> bool:
    seq = event.get("seq")
    if type(seq) is not int or not 0 < seq < SEQ_MAX or not _is_time(event.get("time")):
        return False
    return (
        all(isinstance(event.get(key, ""), str) for key in _TEXTS)
        and all(_is_word(event.get(key, "")) for key in _WORDS)
        and all(isinstance(event.get(key, []), list) for key in _LISTS)
        and all(_is_name(event[key]) for key in _NAMES if key in event)
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and value.isprintable() and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
