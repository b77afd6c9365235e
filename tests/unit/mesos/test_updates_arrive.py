"""The driver with an agent that fails in every way, by hundreds of seeds: each update arrives, once, in order."""

from __future__ import annotations

import asyncio
import random

import pytest

from executor.mesos import events
from executor.mesos.driver import Driver
from executor.mesos.status import TaskState, status
from executor.names import TaskId
from tests.support.faulty_agent import FaultyAgent

BATCHES = 6
SCHEDULES = 50
"""In each batch, at the same time: most of it is waiting."""
PATIENCE_S = 20.0
ENDS = (TaskState.FINISHED, TaskState.FAILED, TaskState.KILLED, TaskState.GONE)


async def one_schedule(seed: int) -> None:
    """A stream of updates amid faults; then what the agent has is what was sent."""
    chance = random.Random(seed)
    sent: dict[str, list[str]] = {}

    async def work(driver: Driver, task: str) -> None:
        count = chance.randint(0, 6)
        for number in range(count + 1):
            await asyncio.sleep(chance.uniform(0, 0.08))
            state = TaskState.RUNNING if number < count else chance.choice(ENDS)
            driver.update(status(TaskId(task), state, message=str(number)))
            sent.setdefault(task, []).append(f"{state}{number}")

    async with FaultyAgent(seed) as faulty, Driver(faulty.agent.environment()) as driver:
        listening = asyncio.create_task(listen(driver))
        await asyncio.gather(*(work(driver, f"t{number}") for number in range(chance.randint(1, 4))))
        await faulty.calm_down()
        assert await driver.drained(PATIENCE_S), f"seed {seed}: {driver.unacknowledged} updates after {faulty.faults}"
        found = {task: [f"{each['state']}{each['message']}" for each in got] for task, got in faulty.record.items()}
        assert found == sent, f"seed {seed}: {faulty.faults}"
        listening.cancel()


async def listen(driver: Driver) -> None:
    async for event in driver.events():
        assert not isinstance(event, events.Shutdown), event


@pytest.mark.parametrize("batch", range(BATCHES))
async def test_every_update_arrives_once_and_in_order(batch: int) -> None:
    seeds = range(batch * SCHEDULES, (batch + 1) * SCHEDULES)
    outcomes = await asyncio.gather(*map(one_schedule, seeds), return_exceptions=True)
    failures = [str(each) for each in outcomes if each is not None]
    assert not failures, "\n".join(failures)
