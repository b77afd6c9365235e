"""What could not be removed is tried again with growing pauses, a last time at the end, and not for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

from executor.log import get_logger
from executor.pod.release.retries import Retries


class Pod:
    """As much of a PodRunner as is asked: its network can be released after some tries."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.id = f"pod-{id(self)}"
        self.tries = 0
        self.log = get_logger(__name__)
        self.tear_down = self
        self._failures = failures
        self._error = error

    async def run(self, *, gently: bool) -> list[str]:
        assert gently
        self.tries += 1
        if self.tries <= self._failures and self._error is not None:
            raise self._error
        return ["network: busy"] if self.tries <= self._failures else []


def retries(*pauses_s: float) -> Retries:
    return Retries(pauses_s)


def take(into: Retries, pod: Any) -> None:
    into.take(pod)


async def test_it_is_tried_until_nothing_is_left() -> None:
    left, pods = retries(0, 0, 0, 0, 0), [Pod(0), Pod(3), Pod(2, RuntimeError("a defect"))]
    for pod in pods:
        take(left, pod)
    assert len(left) == 3
    async with asyncio.timeout(5):
        while len(left):  # noqa: ASYNC110 nobody is told
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    assert [pod.tries for pod in pods] == [1, 4, 3]
    assert await left.settle(0)


async def test_it_is_not_tried_for_ever_and_stays_known() -> None:
    left, pod = retries(0, 0), Pod(100)
    take(left, pod)
    await asyncio.sleep(0.05)
    assert (pod.tries, len(left)) == (2, 1)
    assert not await left.settle(0)


async def test_a_pod_that_is_given_up_is_counted_and_takes_no_memory() -> None:
    left, pod = retries(0), Pod(100)
    take(left, pod)
    await asyncio.sleep(0.05)
    assert pod.tries == 1
    held = weakref.ref(pod)
    del pod
    gc.collect()
    assert (held(), len(left)) == (None, 1)


async def test_the_end_is_one_more_try_without_a_pause() -> None:
    left, corrected, broken = retries(60.0), Pod(0), Pod(100)
    take(left, corrected)
    take(left, broken)
    async with asyncio.timeout(30):
        assert not await left.settle(60)
    assert (corrected.tries, broken.tries, len(left)) == (1, 1, 1)
