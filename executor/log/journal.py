"""The events of this executor: numbered, kept in memory for followers, and appended to a file in the Mesos sandbox.

An event is a log record with a code (`log.add_sink(journal.append)`): `seq`, `time`, `level`, `code`, `message` and
keys. Numbers are consecutive from 1, continue over a restart in the same sandbox, and are never reused. The file
holds JSON lines and is bounded by one rotation (`journal.jsonl`, `journal.jsonl.1`). Writing never fails its caller:
a disk that is full costs the file, not the pod. `append` may be called from any thread; `follow` belongs to one event
loop. Owns: the two files.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

from executor.errors import reason
from executor.log import get_logger, journal_files, timestamp
from executor.log.journal_files import Event

_log = get_logger(__name__)
_NOT_KEPT: Final = frozenset({"logger", "exc_info"})


class Journal:
    """`close` it when the process ends; without a path events are in memory only."""

    def __init__(self, path: Path | None, *, max_bytes: int = 8 << 20, kept: int = 4096) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=kept)
        self._lock = threading.Lock()
        self._followers: set[_Follower] = set()
        self._fd = -1
        self._size_bytes = 0
        self._failed = ""
        self._seq = 0
        self._closed = False
        self._recover()

    @property
    def last_seq(self) -> int:
        """Number of the newest event; 0 before the first."""
        return self._seq

    @property
    def failure(self) -> str:
        """Why the last event is not in the file; empty if it is."""
        return self._failed

    def append(self, record: Mapping[str, Any]) -> None:
        """Takes a log record over as the next event. Never raises."""
        with self._lock:
            self._seq += 1
            kept = {key: value for key, value in record.items() if key not in _NOT_KEPT}
            line = json.dumps({"seq": self._seq, "time": timestamp(), **kept}, default=str).encode()
            self._ring.append((self._seq, line))  # a decoded event takes four times the memory
            failure, self._failed = self._failed, self._write(line + b"\n")
            followers = tuple(self._followers)
        for follower in followers:
            follower.wake()
        if self._failed and not failure:  # once per outage; this line's own event finds the failure known
            _log.warning(
                "the journal cannot be written", code="journal.write_failed", path=self._path, error=self._failed
            )

    def events(self, since: int = 0) -> list[Event]:
        """Events in memory with a number above `since`, oldest first."""
        with self._lock:
            return [json.loads(line) for seq, line in self._ring if seq > since]

    async def follow(self, since: int | None = None) -> AsyncGenerator[Event, None]:
        """Events above `since` (default: those to come) as they happen, until the journal is closed.

        A follower costs no memory: if it falls behind what is kept, it gets one `journal.gap` event with `count` and
        goes on.
        """
        seen = self._seq if since is None else since
        follower = _Follower(asyncio.get_running_loop())
        self._followers.add(follower)
        try:
            while True:
                follower.woken.clear()
                closed = self._closed
                for event in self.events(seen):
                    if event["seq"] > seen + 1:
                        yield _gap(seen, event["seq"] - seen - 1)
                    seen = event["seq"]
                    yield event
                if closed:
                    return
                await follower.woken.wait()
        finally:
            self._followers.discard(follower)

    def close(self) -> None:
        """Ends the followers; later events go to memory only."""
        with self._lock:
            self._closed = True
            self._close_file()
            self._path = None
            followers = tuple(self._followers)
        for follower in followers:
            follower.wake()

    def _write(self, data: bytes) -> str:
        """Appends to the file; returns why it could not, or nothing."""
        if self._path is None:
            return ""
        try:
            if self._size_bytes and self._size_bytes + len(data) > self._max_bytes:
                self._path.replace(_older(self._path))
                self._close_file()  # afterwards: a file that cannot be rotated grows no further
            if self._fd < 0:
                self._open(self._path)
            written = os.write(self._fd, data)
            if written < len(data):
                os.ftruncate(self._fd, self._size_bytes)  # half a line would spoil the next one
                return "no space left"
            self._size_bytes += written
        except OSError as error:
            return reason(error)
        return ""

    def _open(self, path: Path) -> None:
        self._fd = journal_files.open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._size_bytes = os.fstat(self._fd).st_size

    def _close_file(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size_bytes = -1, 0

    def _recover(self) -> None:
        """Goes on where an earlier process in this sandbox stopped; a line torn by its death is cut off."""
        if self._path is None:
            return
        for path in (_older(self._path), self._path):
            with contextlib.suppress(OSError):
                found = journal_files.read_and_repair(path)
                self._ring.extend((event["seq"], json.dumps(event).encode()) for event in found)
        self._seq = max((seq for seq, _ in self._ring), default=0)


def _older(path: Path) -> Path:
    return path.with_name(journal_files.older_name(path.name))


class _Follower:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.woken = asyncio.Event()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
            self._loop.call_soon_threadsafe(self.woken.set)


def _gap(seen: int, count: int) -> Event:
    return {"seq": seen + count, "time": timestamp(), "level": "warning", "code": "journal.gap", "count": count}
