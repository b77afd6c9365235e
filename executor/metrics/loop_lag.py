"""How late the event loop is: whatever holds it up holds up every launch, exit and revocation.

A timer that is due every INTERVAL_S, and by how much it comes late. A hold-up of INTERVAL_S and more is never missed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from executor.log import get_logger
from executor.metrics import catalog
from executor.metrics.counters import Histogram

log = get_logger(__name__)

INTERVAL_S: Final = 0.1
LATE_S: Final = 1.0
AGAIN_S: Final = 60.0
"""Between two warnings."""


class LoopLag:
    """`seconds` is what was seen since the start."""

    def __init__(self) -> None:
        self.seconds = Histogram(catalog.LOOP_LAG.buckets)
        self._told_s: float | None = None

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            now_s = loop.time()
            self.seen(max(0.0, now_s - due_s), now_s)

    def seen(self, late_s: float, now_s: float) -> None:
        self.seconds.observe(late_s)
        if late_s >= LATE_S and (self._told_s is None or now_s - self._told_s >= AGAIN_S):
            self._told_s = now_s
            log.warning("the event loop was held up", code="executor.loop_late", duration_ms=round(late_s * 1e3, 1))
