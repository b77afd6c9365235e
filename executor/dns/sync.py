"""The synchroniser: from a source's state and events to one file for each Mesos task. Blocking, one for each node.

Nothing is written that stands there already. It may be killed at any moment: its files say whose they are, and the next
one takes them over. While its source is silent, names stay as they were. Files of other owners are never touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from executor.dns.hostsdir import SYNCHRONISER, HostsDir
from executor.dns.name_owners import NameTable
from executor.dns.names import check_hosts_text, hosts_text, parse_hosts
from executor.dns.refusals import Refusals
from executor.dns.tasks import Entry, Key, Tasks, note, parse_note
from executor.errors import ExecutorError, Failure, Refused, reason
from executor.log import get_logger
from executor.mesos.operator.messages import Event, State

log = get_logger(__name__)

PAUSE_MAX_S = 30.0
HEARTBEAT = "HEARTBEAT"


class Synchroniser:
    def __init__(self, hosts: HostsDir, tasks: Tasks, clock: Callable[[], float] = time.monotonic) -> None:
        self._hosts = hosts
        self._tasks = tasks
        self._clock = clock
        self._book: NameTable[Key] = NameTable()
        self._notes: dict[Key, str] = {}
        self._refusals = Refusals()
        self._doubtful: set[Key] = set()
        """Tasks whose files could not be written."""

    def __len__(self) -> int:
        """How many tasks have a file."""
        return len(self._book)

    def adopt(self) -> None:
        """Take over what an earlier synchroniser left, and remove what cannot be its, also a file with a line that this
        version would not write. Raises Failure.
        """
        self._hosts.ensure()
        known: list[tuple[Key, Entry]] = []
        for name in self._hosts.names(SYNCHRONISER):
            content = self._hosts.read(SYNCHRONISER, name)
            text, pairs = parse_hosts(content)
            found = parse_note(text)
            if found is None or file_name(found[0]) != name or not _is_sound(content):
                self._hosts.remove(SYNCHRONISER, name)
                continue
            key, entry = found[0], replace(found[1], pairs=pairs)
            known.append((key, entry))
            self._change(key, entry)
        self._tasks.adopt(known, self._clock())

    def take(self, item: State | Event) -> None:
        """Raises Failure if a file cannot be written; the next state then brings every file to what it should be."""
        now_s = self._clock()
        if isinstance(item, State):
            self._tasks.take_state(item, now_s)
            self._write_all()
        else:
            self._write(self._tasks.take_event(item, now_s))
        self._write(self._tasks.expire(now_s))
        if isinstance(item, State) or item.type == HEARTBEAT:
            self._reconcile()

    def _write_all(self) -> None:
        """Removals first: an address may be another task's by now."""
        wanted = self._tasks.living
        self._write([key for key in self._book if not (key in wanted and wanted[key].pairs)])
        self._write(list(wanted))

    def _write(self, keys: list[Key]) -> None:
        for key in keys:
            self._doubtful.update(changed := self._change(key, self._tasks.living.get(key)))
            for each in changed:
                self._write_file(each)
            self._tell(key)

    def _tell(self, key: Key) -> None:
        """What the task claims and does not get: a name of another role may come to it later, and is then written."""
        if (entry := self._tasks.living.get(key)) is None:
            self._refusals.forget(key)
        else:
            self._refusals.tell(key, entry.refused, self._book.refused(key))

    def _write_file(self, key: Key) -> None:
        self._hosts.write(SYNCHRONISER, file_name(key), self._text(key))
        self._doubtful.discard(key)

    def _change(self, key: Key, entry: Entry | None) -> list[Key]:
        """The tasks whose files must be written then."""
        if entry is not None and entry.pairs:
            self._notes[key] = note(key, entry)
            return self._book.put(key, entry.pairs, entry.role)
        if key in self._book:
            self._hosts.remove(SYNCHRONISER, file_name(key))
            del self._notes[key]
            return self._book.drop(key)
        return []

    def _text(self, key: Key) -> str:
        return hosts_text(self._notes[key], self._book.carried(key))

    def _reconcile(self) -> None:
        """A write may have failed, a file of ours may have been removed, or an older version may have left one."""
        there = set(self._hosts.names(SYNCHRONISER))
        ours = {file_name(key): key for key in self._book}
        for name in there - ours.keys():
            self._hosts.remove(SYNCHRONISER, name)
        self._doubtful &= set(self._book)
        for key in self._doubtful | {ours[name] for name in ours.keys() - there}:
            self._write_file(key)


def _is_sound(content: str) -> bool:
    try:
        check_hosts_text(content)
    except Failure:
        return False
    return True


def file_name(key: Key) -> str:
    """The name of a task's file; its ids may be of any characters."""
    return hashlib.sha256("\0".join(key).encode()).hexdigest()[:24]


def run(
    hosts: HostsDir,
    tasks: Tasks,
    follow: Callable[[], Iterator[State | Event]],
    *,
    endpoints: str,
    pause_s: float,
    once: bool = False,
) -> None:
    """Until the process ends; with `once`, until the first state was written. `follow` gives the whole state, then each
    change, and raises ExecutorError when it has to be called again, which is done after `pause_s` seconds or more.
    `endpoints` names its source in the log. Raises Refused if another synchroniser runs on this node; with `once` also
    what `follow` raises.
    """
    hosts.ensure()
    with alone(hosts):
        synchroniser = Synchroniser(hosts, tasks)
        synchroniser.adopt()
        attempt = 0
        while True:
            try:
                for number, item in enumerate(follow()):
                    synchroniser.take(item)
                    if once:
                        return
                    if number == 0:
                        attempt = 0
                        _following(endpoints, len(synchroniser))
            except ExecutorError as error:
                if once:
                    raise
                attempt += 1
                _pause(error, pause_s, attempt)


def _following(endpoints: str, count: int) -> None:
    log.info("names follow Mesos", code="dns.following", address=endpoints, count=count)


def _pause(error: ExecutorError, pause_s: float, attempt: int) -> None:
    """Longer each time, and not the same on every node: a master that comes back is not to be run over."""
    delay_s = min(PAUSE_MAX_S, pause_s * 2 ** min(attempt - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
    log.warning("names do not follow Mesos", code="dns.behind", error=error, delay_s=round(delay_s, 2), attempt=attempt)
    time.sleep(delay_s)


@contextmanager
def alone(hosts: HostsDir) -> Iterator[None]:
    """Two synchronisers would remove each other's files. Raises Refused, Failure."""
    path = hosts.path / ".synchroniser"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Failure(reason(error), subject=str(path), hint="see [dns] hosts_dir") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Refused("another synchroniser runs on this node", subject=str(path), hint="one is enough") from error
    finally:
        os.close(descriptor)
