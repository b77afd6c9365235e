"""When an executor ends: the first reason counts."""

from __future__ import annotations

import asyncio
import time

import pytest

from executor.dispatch.executor_end import ExecutorEnd
from executor.mesos.events import Shutdown


async def test_the_first_reason_counts() -> None:
    ending = ExecutorEnd(5.0)
    ending.begin("got SIGTERM")
    ending.take(Shutdown(60.0, "the agent says so"))
    assert ending.has_begun
    assert await ending.wait() == Shutdown(5.0, "got SIGTERM")


async def test_a_wait_that_is_given_up_leaves_it_as_it_is() -> None:
    ending = ExecutorEnd(5.0)
    assert not ending.has_begun
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ending.wait()
    ending.begin("later")
    assert (await ending.wait()).why == "later"


async def test_an_idle_executor_has_time_until_its_end_is_demanded() -> None:
    ending = ExecutorEnd(0.2)
    ending.begin_idle("its last pod has ended")
    overdue = asyncio.create_task(ending.overdue(0.0))
    await asyncio.sleep(0.3)
    assert ending.has_begun and not overdue.done()
    ending.begin("got SIGTERM")
    assert (await ending.wait()).why == "its last pod has ended"
    begun_s = time.monotonic()
    await asyncio.wait_for(overdue, 2)
    assert time.monotonic() - begun_s >= 0.19
