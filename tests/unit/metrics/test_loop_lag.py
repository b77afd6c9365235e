"""An event loop that is held up, and what the scheduler says of it: it ran, or it slept in a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from executor import log as logs
from executor.metrics.loop_lag import LATE_S, LoopLag


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    remove = logs.add_sink(lambda record: seen.append(dict(record)))
    yield seen
    remove()


def spin() -> None:
    end_s = time.thread_time() + 1.2 * LATE_S
    while time.thread_time() < end_s:
        pass


def sleep() -> None:
    time.sleep(1.2 * LATE_S)


@pytest.mark.parametrize("hold", [spin, sleep])
async def test_it_tells_what_the_loops_thread_did(hold: Callable[[], None], told: list[dict[str, Any]]) -> None:
    lag = asyncio.create_task(LoopLag().run())
    await asyncio.sleep(0)  # the timer is set
    hold()
    async with asyncio.timeout(10):
        while not told:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    lag.cancel()
    (event,) = told
    assert event["code"] == "executor.loop_late" and event["duration_ms"] >= 1e3 * LATE_S
    ran = event["cpu_ms"] >= 1e3 * LATE_S
    assert ran == (hold is spin), event
    assert event["cpu_wait_ms"] <= event["duration_ms"] + 200
