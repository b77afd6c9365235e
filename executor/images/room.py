"""Room on the disk that holds containerd's images: how full it is, and work that ends before it fills the disk."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from executor.errors import ExecutorError, Failure, reason
from executor.images.failures import PullFailure

T = TypeVar("T")
LOOK_S: Final = 0.25
"""How often the disk is looked at while images are written. A disk of 2 GB/s takes half a gigabyte in this time."""
AGAIN_S: Final = 60.0
"""After this time a pull that had no room is tried again; a collection of images may have made some."""
_FULL: Final = ("no space left on device", "disk quota exceeded")


@dataclass(frozen=True)
class Disk:
    """As df(1) counts: without what is reserved for root."""

    total_bytes: int
    free_bytes: int

    @property
    def used_percent(self) -> float:
        """The used part of what programs without privileges may use."""
        return 100.0 * (self.total_bytes - self.free_bytes) / max(1, self.total_bytes)


class NoRoom(PullFailure):
    """The disk of images is too full for a pull or an import."""


async def disk(directory: str) -> Disk:
    """The disk that `directory` is on. Raises Failure."""
    try:
        found = await asyncio.to_thread(os.statvfs, directory)
    except OSError as error:
        message = f"cannot be looked at: {reason(error)}"
        raise Failure(message, subject=directory, hint="[images] content_dir") from error
    used = found.f_blocks - found.f_bfree
    return Disk((used + found.f_bavail) * found.f_frsize, found.f_bavail * found.f_frsize)


class Room:
    """For one pull or import: `reserve_percent` of the disk of `directory` stays free; no bound if it is not there."""

    def __init__(self, directory: str, reserve_percent: float, *, subject: str) -> None:
        self._directory = directory
        self._reserve_percent = reserve_percent
        self._subject = subject

    async def check(self, needed_bytes: int = 0) -> None:
        """Raises NoRoom if the disk has not `needed_bytes` besides its reserve."""
        if not self._directory or not await asyncio.to_thread(os.path.isdir, self._directory):
            return
        found = await disk(self._directory)
        reserve_bytes = int(found.total_bytes * self._reserve_percent / 100)
        if found.free_bytes - reserve_bytes < needed_bytes:
            text = f"its layers need {needed_bytes} bytes, but" if needed_bytes else "it would fill the disk:"
            raise self._no_room(
                f"{text} {self._directory} has {found.free_bytes} bytes free, {reserve_bytes} of them kept"
            )

    async def within(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns. It is cancelled when the disk has less than its reserve: NoRoom, as for an error of
        containerd that says that the disk is full.
        """
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_S))[0]:
                await self.check()
            return task.result()
        except ExecutorError as error:
            if isinstance(error, NoRoom) or not any(words in error.message for words in _FULL):
                raise
            raise self._no_room(f"it filled the disk: {error.message}") from error
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _no_room(self, message: str) -> NoRoom:
        hint = "make room there, or see [images] gc_high_percent and reserve_percent"
        return NoRoom(message, subject=self._subject, hint=hint, retry_after_s=AGAIN_S)
