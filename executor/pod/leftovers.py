"""What ended pods could not give back is tried again, until nothing is left or the executor ends.

The node is as good as it was when the cause has gone: a plugin that hung, containerd away, a full disk. What is left at
the executor's end is the next one's, by the records of this one.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executor.pod.runner import PodRunner

AGAIN_S = (1.0, 5.0, 30.0, 300.0)
"""Pauses before each try; the last one repeats."""


async def release_again(runner: PodRunner) -> None:
    """Of a pod that has ended. What could not be removed is logged each time."""
    for pause_s in itertools.chain(AGAIN_S, itertools.repeat(AGAIN_S[-1])):
        await asyncio.sleep(pause_s)
        try:
            left = await runner.release()
        except Exception:
            runner.log.exception("defect while releasing an ended pod", code="pod.defect")
            continue
        if not left:
            runner.log.info("released what had been left of the pod", code="pod.released")
            return
