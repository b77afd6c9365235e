"""The logs of this executor's ended pods: kept within the limits of [retention], and removed when they pass them.

What a reader holds (a shared flock(2) on the pod's directory, as `logs` takes it) is left until it lets go.

Removed are the files in a pod's directory and the directory; its volumes are gone already.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from executor.config.retention import RetentionSection
from executor.log import Logger, get_logger
from executor.output.retention import Kept, Space, to_remove

log = get_logger(__name__)

LOOK_S: Final = 30.0
_FOLDERS: Final = ("notice",)


@dataclass(frozen=True)
class EndedPod:
    """`log` is the pod's own logger; `removed` takes the reason why the logs went."""

    id: str
    directory: Path
    log: Logger
    removed: Callable[[str], None]


class EndedLogs:
    def __init__(self, limits: RetentionSection) -> None:
        self._limits = limits
        self._ended: dict[str, tuple[EndedPod, Kept]] = {}
        self._told = set[str]()
        """Pods whose logs could not be removed: said once."""
        self._fresh = asyncio.Event()

    def add(self, pod: EndedPod) -> None:
        """The pod has ended now."""
        self._ended[pod.id] = (pod, Kept(pod.id, time.monotonic(), -1))
        self._fresh.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._fresh.wait()
            self._fresh.clear()
            if self._ended:
                await self._look()

    async def _look(self) -> None:
        try:
            removable = await asyncio.to_thread(self._measure)
        except OSError as error:
            log.debug("the logs of ended pods cannot be looked at", error=error)
            return
        for kept, reason in removable:
            pod = self._ended[kept.pod][0]
            try:
                removed = await asyncio.to_thread(remove, pod.directory)
            except OSError as error:
                if kept.pod not in self._told:
                    self._told.add(kept.pod)
                    path = str(error.filename)
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
                size_bytes = sum(path.stat().st_size for path in _files(pod.directory))
                self._ended[name] = (pod, Kept(name, kept.ended_s, size_bytes))
        ended = list(self._ended.values())
        disk = os.statvfs(ended[0][0].directory.parent)
        space = Space(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
        return list(to_remove([kept for _, kept in ended], self._limits, time.monotonic(), space))


def remove(directory: Path) -> bool:
    """A pod's log files and directory; False: somebody reads them now. Raises OSError."""
    with reading(directory, fcntl.LOCK_EX | fcntl.LOCK_NB) as allowed:
        if not allowed:
            return False
        for path in _files(directory):
            path.unlink(missing_ok=True)
        for folder in (*(directory / name for name in _FOLDERS), directory):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:  # what is not a log is not ours to remove
                    raise
    return True


@contextmanager
def reading(directory: Path, kind: int = fcntl.LOCK_SH) -> Iterator[bool]:
    """The directory's logs are not removed in the block; False: it is held, or not there."""
    try:
        file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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


def _files(directory: Path) -> Iterator[Path]:
    for folder in (directory, *(directory / name for name in _FOLDERS)):
        with contextlib.suppress(FileNotFoundError):
            for entry in list(os.scandir(folder)):
                if not entry.is_dir(follow_symlinks=False):
                    yield Path(entry.path)
