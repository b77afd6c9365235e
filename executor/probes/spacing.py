"""Spaces probes that are due at the same moment, such as those of pods that were launched together.

One begins after the other with a short gap, so that the event loop has room for everything else between them. A probe
that hangs keeps no other waiting: only beginnings are spaced. Commands in containers are spaced by themselves, for each
of them costs a process of runc.
"""

from __future__ import annotations

import asyncio
from typing import Final

GAP_S: Final = 0.002
COMMAND_GAP_S: Final = 0.05


class Spacing:
    """`gap_s` lies between two beginnings."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._next_s = 0.0

    async def wait(self) -> None:
        """Until this caller may begin, in the order of the calls."""
        now_s = asyncio.get_running_loop().time()
        begin_s = max(now_s, self._next_s)
        self._next_s = begin_s + self._gap_s
        if begin_s > now_s:
            await asyncio.sleep(begin_s - now_s)
