"""Containers' log files in the Mesos sandbox, kept within a size.

The shim holds a log file open for as long as the container lives and appends to it, so the file itself must stay. What
is old is copied to `<file>.1` (the former one becomes `.2`, ...), and then cut off the front of the file in one step
(fallocate(2), FALLOC_FL_COLLAPSE_RANGE; ext4 and XFS): the shim may write at any moment and no byte is lost or written
twice. The cut is at a block's end, so a line may begin in `.1` and end in the file. A file system that cannot do that
gets its file truncated after the copy: bytes that came in between are counted and told, which a write within the last
microseconds escapes.

Sizes are looked at as often as the fastest writer demands, from LOOK_MIN_S to LOOK_MAX_S: nothing wakes for a single
write. So the file itself passes its limit by what is written between two looks. The older files do not: what has grown
large is moved in pieces, and what the pieces after it would push out is never copied.

Readers that follow a file count bytes from its very beginning. `.<file>.moved` holds how many of them are not in the
file any more; it and the file change together, under the file's lock (flock(2)), which a reader shares.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
_LOCK_S: Final = 1.0
"""How long a reader that holds the lock is waited for: a log that is not bounded is worse than a reader's gap."""


@dataclass(frozen=True)
class Rotated:
    """`kept_bytes` went to older files; `dropped_bytes` came while they were copied and are nowhere."""

    kept_bytes: int
    dropped_bytes: int = 0


@dataclass(frozen=True)
class Look:
    """A file of `found_bytes`, of which a rotation left `left_bytes`, at a time of the loop's clock."""

    found_bytes: int
    left_bytes: int
    at_s: float


async def rotate_all(config: PodsSection, runners: Callable[[], Iterable[PodRunner]]) -> None:
    """Until cancelled; returns at once where the configuration sets no limit."""
    if not config.log_max_bytes:
        return
    seen: dict[Path, Look] = {}
    pause_s = LOOK_MAX_S
    while True:
        await asyncio.sleep(pause_s)
        pause_s, fresh = LOOK_MAX_S, dict[Path, Look]()
        for runner, path in _files(runners()):
            look = await _look(runner, path, config)
            if look is not None:
                fresh[path] = look
                pause_s = min(pause_s, next_look_s(seen.get(path), look, config.log_max_bytes))
        seen = fresh


def next_look_s(before: Look | None, now: Look, max_bytes: int) -> float:
    """Half of the time until the file reaches its limit at the pace of late, within bounds. Pure."""
    if before is None or now.found_bytes <= before.left_bytes or now.at_s <= before.at_s:
        return LOOK_MAX_S if now.left_bytes < max_bytes / 2 else LOOK_MAX_S / 5
    pace = (now.found_bytes - before.left_bytes) / (now.at_s - before.at_s)
    return min(LOOK_MAX_S, max(LOOK_MIN_S, (max_bytes - now.left_bytes) / pace / 2))


def _files(runners: Iterable[PodRunner]) -> Iterator[tuple[PodRunner, Path]]:
    for runner in runners:
        for container in runner.spec.containers:
            for stream in ("stdout", "stderr"):
                yield runner, log_path(runner.sandbox.directory, container.name, stream)


async def _look(runner: PodRunner, path: Path, config: PodsSection) -> Look | None:
    """At the file, which is rotated if that is due; None if it is not there."""
    try:
        at_s = asyncio.get_running_loop().time()
        size_bytes = _size_bytes(path)
        if size_bytes < config.log_max_bytes:
            return Look(size_bytes, size_bytes, at_s)
        rotated = await asyncio.to_thread(rotate, path, config.log_files, config.log_max_bytes)
        left_bytes = _size_bytes(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        runner.log.warning("a log file cannot be rotated", code="pod.log_not_rotated", path=str(path), error=error)
        return Look(size_bytes, size_bytes, at_s)
    runner.log.info("a log file was rotated", code="pod.log_rotated", path=str(path), size_bytes=rotated.kept_bytes)
    if rotated.dropped_bytes:
        runner.log.warning(
            "output was dropped", code="pod.log_dropped", path=str(path), size_bytes=rotated.dropped_bytes
        )
    return Look(size_bytes, left_bytes, at_s)


def _size_bytes(path: Path) -> int:
    return path.stat().st_size


def rotate(path: Path, files: int, max_bytes: int) -> Rotated:
    """Moves what `path` holds to older files of `max_bytes` each, of which the latest `files` are kept; 0 drops it.

    A piece's blocks are copied, so the disk must have room for it once more. Raises OSError.
    """
    with contextlib.closing(_Rotation(path, files, max_bytes)) as rotation:
        return rotation.run()


class _Rotation:
    def __init__(self, path: Path, files: int, max_bytes: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._path, self._files, self._max_bytes = path, files, max_bytes
        self._block_bytes = os.fstatvfs(self._file).f_bsize

    def close(self) -> None:
        os.close(self._file)

    def run(self) -> Rotated:
        _count_moved(self._path, 0)  # here a full disk does no harm yet
        size_bytes, kept_bytes = os.fstat(self._file).st_size, 0
        piece_bytes = max(self._max_bytes // self._block_bytes, 1) * self._block_bytes
        while size_bytes >= self._max_bytes and (whole_bytes := self._whole_blocks(size_bytes)):
            excess_bytes = max(0, whole_bytes - self._files * piece_bytes)
            cut_bytes = excess_bytes or min(whole_bytes, piece_bytes)
            if not (self._drop(cut_bytes) if excess_bytes else self._keep(cut_bytes)):
                return self._truncate()
            size_bytes -= cut_bytes
            kept_bytes += 0 if excess_bytes else cut_bytes
        return Rotated(kept_bytes)

    def _whole_blocks(self, size_bytes: int) -> int:
        """As much of the file as can be cut off its front: whole blocks, and never all of it (fallocate(2))."""
        return max(0, (size_bytes - 1) // self._block_bytes * self._block_bytes)

    def _keep(self, cut_bytes: int) -> bool:
        """Whether the file system can cut; then the front is the latest of the older files."""
        kept = _Older(self._path, self._files)
        kept.copy(self._file, cut_bytes)
        with _locked(self._file):
            if not _collapse(self._file, cut_bytes):
                return False
            kept.done()
            _count_moved(self._path, cut_bytes)
        return True

    def _drop(self, cut_bytes: int) -> bool:
        """Whether the file system can cut; then the front and what is older are nowhere."""
        with _locked(self._file):
            if not _collapse(self._file, cut_bytes):
                return False
            for number in range(1, self._files + 1):
                older(self._path, number).unlink(missing_ok=True)
            _count_moved(self._path, cut_bytes)
        return True

    def _truncate(self) -> Rotated:
        """Copies what is there and what came meanwhile into one piece, then empties the file."""
        kept = _Older(self._path, self._files)
        for _ in range(3):
            kept.copy(self._file, os.fstat(self._file).st_size)
        with _locked(self._file):
            kept.done()
            size_bytes = os.fstat(self._file).st_size
            os.ftruncate(self._file, 0)
            _count_moved(self._path, size_bytes)
        return Rotated(kept.size_bytes, max(0, size_bytes - kept.size_bytes))


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


def moved_bytes(path: Path) -> int:
    """How many bytes that were written to this file are not in it any more; exact while its lock is held."""
    try:
        return int(_moved(path).read_bytes())
    except (OSError, ValueError):
        return 0


def _count_moved(path: Path, count: int) -> None:
    total = moved_bytes(path) + count
    file = os.open(_moved(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.pwrite(file, b"%020d" % total, 0)
    finally:
        os.close(file)


def _moved(path: Path) -> Path:
    return path.with_name(f".{path.name}.moved")


@contextmanager
def _locked(file: int) -> Iterator[None]:
    """Waits for readers, but not long."""
    deadline_s = time.monotonic() + _LOCK_S
    while time.monotonic() < deadline_s:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.001)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


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
