"""Reports about one stream: lost output at once, then at intervals, and its total at the end. Reads the
writer's counters.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any, Final

from executor.output import slots
from executor.output.slots import Slots

_REPLACED: Final = frozenset({errno.ESTALE, errno.ELOOP, errno.ENOTDIR})
AGAIN_S: Final = 60.0
"""Between two events about one stream that goes on losing output, and between two about its rotation."""


class Telling:
    """`log` is bound to the stream's pod."""

    def __init__(self, log: Any, path: Path) -> None:
        self._log, self._path = log, path
        self._told_bytes = self._rotated_bytes = 0
        self._episode_bytes: int | None = None
        """What was lost before the present loss began; None: nothing is being lost."""
        self._cause = 0
        """The errno that was last seen in the present loss: it is gone from the counters when the disk works again."""
        self._next_loss_s = self._next_rotation_s = 0.0

    def look(self, counters: Slots, slot: int, *, last: bool = False) -> None:
        """`last`: the stream has ended."""
        self._look_at_loss(counters.get(slot, slots.DROPPED), counters.get(slot, slots.ERRNO), last=last)
        self._look_at_rotation(counters.get(slot, slots.ROTATED), last=last)

    def _look_at_loss(self, dropped_bytes: int, number: int, *, last: bool) -> None:
        news_bytes = dropped_bytes - self._told_bytes
        if self._episode_bytes is None and news_bytes:
            self._episode_bytes, self._next_loss_s, self._cause = self._told_bytes, 0.0, 0
        if self._episode_bytes is None:
            return
        self._cause = number or self._cause
        over = last or not number
        if news_bytes and (over or time.monotonic() >= self._next_loss_s):
            self._told_bytes, self._next_loss_s = dropped_bytes, time.monotonic() + AGAIN_S
            self._log.warning(
                "output was dropped",
                code="pod.log_dropped",
                path=str(self._path),
                size_bytes=news_bytes,
                error=_why(self._cause),
            )
        if over:
            total_bytes, self._episode_bytes = dropped_bytes - self._episode_bytes, None
            self._log.info(
                "no more output is dropped", code="pod.log_recovered", path=str(self._path), size_bytes=total_bytes
            )

    def _look_at_rotation(self, rotated_bytes: int, *, last: bool) -> None:
        now_s, news_bytes = time.monotonic(), rotated_bytes - self._rotated_bytes
        if news_bytes and (last or now_s >= self._next_rotation_s):
            self._rotated_bytes, self._next_rotation_s = rotated_bytes, now_s + AGAIN_S
            self._log.info(
                "a log file was rotated", code="pod.log_rotated", path=str(self._path), size_bytes=news_bytes
            )


def _why(number: int) -> str:
    if number == errno.ETIMEDOUT:
        return "the disk does not answer"
    if number in _REPLACED:
        return "something else stands in the place of the log, or of a directory above it"
    return os.strerror(number) if number else "the log writer was replaced, or the disk refused for a moment"
