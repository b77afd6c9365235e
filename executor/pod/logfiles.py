"""Containers' log files in the Mesos sandbox, kept within a size.

The shim holds a log file open for as long as the container lives and appends to it, so the file itself must stay. What
is old is copied to `<file>.1` (the former one becomes `.2`, ...), and then cut off the front of the file in one step
(fallocate(2), FALLOC_FL_COLLAPSE_RANGE; ext4 and XFS): the shim may write at any moment and no byte is lost or written
twice. The cut is at a block's end, so a line may begin in `.1` and end in the file. A file system that cannot do that
gets its file truncated after the copy: bytes that came in between are counted and told, which a write within the last
microseconds escapes.

Sizes are looked at as often as the fastest writer demands, every 5 s at least: nothing wakes for a single write.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.log import get_logger
from executor.pod.node import log_path

if TYPE_CHECKING:
    from executor.config import PodsSection
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

LOOK_MIN_S: Final = 0.25
LOOK_MAX_S: Final = 5.0
_COLLAPSE_RANGE: Final = 0x08  # linux/falloc.h
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS, errno.EPERM})
_COPY_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Rotated:
    """`kept_bytes` went to the older file; `dropped_bytes` came while it was copied and are nowhere."""

    kept_bytes: int
    dropped_bytes: int = 0


@dataclass(frozen=True)
class _Seen:
    size_bytes: int
    at_s: float


async def rotate_all(config: PodsSection, runners: Callable[[], Iterable[PodRunner]]) -> None:
    """Until cancelled; returns at once where the configuration sets no limit."""
    if not config.log_max_bytes:
        return
    seen: dict[Path, _Seen] = {}
    pause_s = LOOK_MAX_S
    while True:
        await asyncio.sleep(pause_s)
        pause_s, fresh = LOOK_MAX_S, dict[Path, _Seen]()
        for runner, path in _files(runners()):
            size_bytes = await _look(runner, path, config)
            if size_bytes is not None:
                fresh[path] = _Seen(size_bytes, asyncio.get_running_loop().time())
                pause_s = min(pause_s, next_look_s(seen.get(path), fresh[path], config.log_max_bytes))
        seen = fresh


def next_look_s(before: _Seen | None, now: _Seen, max_bytes: int) -> float:
    """Half of the time until the file reaches its limit at the pace of late, within bounds. Pure."""
    if before is None or now.size_bytes <= before.size_bytes or now.at_s <= before.at_s:
        return LOOK_MAX_S if now.size_bytes < max_bytes / 2 else LOOK_MAX_S / 5
    pace = (now.size_bytes - before.size_bytes) / (now.at_s - before.at_s)
    return min(LOOK_MAX_S, max(LOOK_MIN_S, (max_bytes - now.size_bytes) / pace / 2))


def _files(runners: Iterable[PodRunner]) -> Iterator[tuple[PodRunner, Path]]:
    for runner in runners:
        for container in runner.spec.containers:
            for stream in ("stdout", "stderr"):
                yield runner, log_path(runner.sandbox.directory, container.name, stream)


async def _look(runner: PodRunner, path: Path, config: PodsSection) -> int | None:
    """The file's size, after its rotation if that was due; None if it is not there."""
    try:
        size_bytes = _size_bytes(path)
        if size_bytes < config.log_max_bytes:
            return size_bytes
        rotated = await asyncio.to_thread(rotate, path, config.log_files)
        left_bytes = _size_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        runner.log.warning("a log file cannot be rotated", code="pod.log_not_rotated", path=str(path), error=error)
        return size_bytes
    runner.log.info("a log file was rotated", code="pod.log_rotated", path=str(path), size_bytes=rotated.kept_bytes)
    if rotated.dropped_bytes:
        runner.log.warning(
            "output was dropped", code="pod.log_dropped", path=str(path), size_bytes=rotated.dropped_bytes
        )
    return left_bytes


def _size_bytes(path: Path) -> int:
    return path.stat().st_size


def rotate(path: Path, files: int) -> Rotated:
    """Moves what `path` holds to older files, of which `files` are kept; 0 drops it. Raises OSError.

    Its blocks are copied, so the disk must have room for them once more.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        size_bytes = os.fstat(descriptor).st_size
        cut_bytes = _whole_blocks(descriptor, size_bytes)
        kept = _Older(path, files)
        kept.copy(descriptor, cut_bytes)
        if cut_bytes and _collapse(descriptor, cut_bytes):
            kept.done()
            return Rotated(cut_bytes, 0)
        return _truncate(descriptor, kept)
    finally:
        os.close(descriptor)


class _Older:
    """The new `.1` while it is written."""

    def __init__(self, path: Path, files: int) -> None:
        self._path = path
        self._files = files
        self._new = path.with_name(f".{path.name}.rotating")
        self.size_bytes = 0

    def copy(self, source: int, end_bytes: int) -> None:
        """Appends the source from where the last copy ended."""
        if not self._files:
            self.size_bytes = end_bytes
            return
        mode = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | (0 if self.size_bytes else os.O_TRUNC)
        target = os.open(self._new, mode, 0o644)
        try:
            os.lseek(target, self.size_bytes, os.SEEK_SET)
            while self.size_bytes < end_bytes:
                count = os.sendfile(target, source, self.size_bytes, min(_COPY_BYTES, end_bytes - self.size_bytes))
                if not count:
                    break
                self.size_bytes += count
        except OSError:
            self._new.unlink(missing_ok=True)
            raise
        finally:
            os.close(target)

    def done(self) -> None:
        """It takes its place, and the others move up."""
        if not self._files:
            return
        for number in range(self._files, 1, -1):
            before = older(self._path, number - 1)
            if before.exists():
                before.replace(older(self._path, number))
        self._new.replace(older(self._path, 1))


def older(path: Path, number: int) -> Path:
    """The `number`-th file before this one."""
    return path.with_name(f"{path.name}.{number}")


def _whole_blocks(descriptor: int, size_bytes: int) -> int:
    """As much of the file as can be cut off its front: whole blocks, and never all of it (fallocate(2))."""
    block_bytes = os.fstatvfs(descriptor).f_bsize
    return max(0, (size_bytes - 1) // block_bytes * block_bytes)


def _collapse(descriptor: int, size_bytes: int) -> bool:
    """Whether the file system cut that much off the front."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(descriptor, _COLLAPSE_RANGE, ctypes.c_int64(0), ctypes.c_int64(size_bytes)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number))


def _truncate(descriptor: int, kept: _Older) -> Rotated:
    """Copies what is there and what came meanwhile, then empties the file."""
    for _ in range(3):
        kept.copy(descriptor, os.fstat(descriptor).st_size)
    kept.done()
    dropped_bytes = max(0, os.fstat(descriptor).st_size - kept.size_bytes)
    os.ftruncate(descriptor, 0)
    return Rotated(kept.size_bytes, dropped_bytes)
