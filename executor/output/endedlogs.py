"""The logs of this executor's ended pods: kept within the limits of [retention], and removed when they pass them.

What a reader holds (a shared flock(2) on the pod's directory, as `logs` takes it) is left until it lets go.

Removed are the files in a pod's directory, the sandboxes of its Mesos tasks and the directory; its volumes are gone
already.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from executor import exhausted
from executor.config.retention import RetentionSection
from executor.errors import Failure
from executor.log import Logger, get_logger
from executor.output.retention import Kept, Space, to_remove
from executor.own_directory import OwnDirectory, open_directory

log = get_logger(__name__)

LOOK_S: Final = 30.0
_FOLDERS: Final = ("notice",)


@dataclass(frozen=True)
class EndedPod:
    """`log` is the pod's own logger; `removed` takes the reason why the logs went. None of them may hold the pod: its
    logs may be kept for longer than anything else of it.
    """

    id: str
    directory: OwnDirectory
    log: Logger
    removed: Callable[[str], None]


@dataclass(frozen=True)
class Rest:
    """What stays with the logs in a pod's directory, and goes with them. Blocking. Both raise OSError, `remove` Failure
    too.
    """

    size_bytes: Callable[[OwnDirectory], int]
    remove: Callable[[OwnDirectory], None]


NO_REST: Final = Rest(lambda _: 0, lambda _: None)


class EndedLogs:
    def __init__(self, limits: RetentionSection, rest: Rest = NO_REST) -> None:
        self._limits, self._rest = limits, rest
        self._ended: dict[str, tuple[EndedPod, Kept]] = {}
        self._told = set[str]()
        """Pods whose logs could not be removed: said once."""
        self._fresh = asyncio.Event()

    def add(self, pod: EndedPod) -> None:
        """The pod has ended now."""
        self._ended[pod.id] = (pod, Kept(pod.id, time.monotonic(), -1))
        self._fresh.set()

    async def drop(self, pod: str, directory: OwnDirectory) -> bool:
        """Remove the logs of a pod now; False: they are being read. Raises OSError, Failure."""
        if not await asyncio.to_thread(remove, directory, self._rest):
            return False
        self._ended.pop(pod, None)
        self._told.discard(pod)
        return True

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._fresh.wait()
            self._fresh.clear()
            if self._ended:
                await self._look_safely()

    async def _look_safely(self) -> None:
        """The next look tries again."""
        try:
            await self._look()
        except Exception as error:  # logs of ended pods must not end the executor
            if exhausted.tell(log, error) is None:
                log.exception("defect while looking at the logs of ended pods", code="executor.defect")

    async def _look(self) -> None:
        try:
            removable = await asyncio.to_thread(self._measure)
        except OSError as error:
            log.debug("the logs of ended pods cannot be looked at", error=error)
            return
        for kept, reason in removable:
            pod = self._ended[kept.pod][0]
            try:
                removed = await asyncio.to_thread(remove, pod.directory, self._rest)
            except (OSError, Failure) as error:
                if kept.pod not in self._told:
                    self._told.add(kept.pod)
                    path = str(Path(pod.directory.path, getattr(error, "filename", None) or ""))
                    pod.log.warning("logs cannot be removed", code="pod.logs_kept", path=path, error=error)
                continue
            if removed:
                del self._ended[kept.pod]
                self._told.discard(kept.pod)
                pod.removed(reason)
                pod.log.info(
                    "its logs were removed", code="pod.logs_removed", reason=reason, size_bytes=kept.size_bytes
                )

    def _measure(self) -> list[tuple[Kept, str]]:
        """Those that have to go now."""
        for name, (pod, kept) in list(self._ended.items()):
            if kept.size_bytes < 0:
                self._ended[name] = (pod, Kept(name, kept.ended_s, size(pod.directory, self._rest)))
        ended = list(self._ended.values())
        disk = os.statvfs(ended[0][0].directory.base)
        space = Space(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
        return list(to_remove([kept for _, kept in ended], self._limits, time.monotonic(), space))


def size(directory: OwnDirectory, rest: Rest = NO_REST) -> int:
    """Bytes of a pod's log files and the rest; 0 where they cannot be looked at: no other pod's logs stay for that."""
    try:
        with _open(directory) as folders:
            logs = sum(os.stat(name, dir_fd=folder, follow_symlinks=False).st_size for folder, name in _files(folders))
        return logs + rest.size_bytes(directory)
    except OSError:
        return 0


def remove(directory: OwnDirectory, rest: Rest = NO_REST) -> bool:
    """A pod's log files and directory, and the rest; False: they are being read. Raises Failure, and OSError: ESTALE
    where another directory stands in its place, which is left as it is.
    """
    with reading(directory, fcntl.LOCK_EX | fcntl.LOCK_NB) as allowed:
        if not allowed:
            return False
        with _open(directory) as folders:
            for folder, name in _files(folders):
                _removed(partial(os.unlink, name, dir_fd=folder))
            for name in _FOLDERS if folders else ():
                _removed(partial(os.rmdir, name, dir_fd=folders[0]))
        rest.remove(directory)
        _removed(directory.rmdir)
    return True


def _removed(remove: Callable[[], None]) -> None:
    """Gone is success. What is not a log is not ours to remove, nor is the directory that holds it."""
    try:
        remove()
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.ENOTDIR):
            raise


@contextmanager
def reading(directory: OwnDirectory, kind: int = fcntl.LOCK_SH) -> Iterator[bool]:
    """The directory's logs are not removed in the block; False: it is held, or not there. Raises OSError."""
    try:
        file = directory.open()
    except FileNotFoundError:
        yield kind != fcntl.LOCK_SH
        return
    try:
        try:
            fcntl.flock(file, kind)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(file)


@contextmanager
def _open(directory: OwnDirectory) -> Iterator[list[int]]:
    """The directory and its folders, those that are there."""
    with ExitStack() as stack:
        folders = []
        with contextlib.suppress(FileNotFoundError):
            folders.append(directory.open())
            stack.callback(os.close, folders[0])
        for name in _FOLDERS if folders else ():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                folders.append(open_directory(folders[0], name))
                stack.callback(os.close, folders[-1])
        yield folders


def _files(folders: list[int]) -> Iterator[tuple[int, str]]:
    """Their entries that are no directories, each with the folder that it is in."""
    for folder in folders:
        for entry in list(os.scandir(folder)):
            if not entry.is_dir(follow_symlinks=False):
                yield folder, entry.name
