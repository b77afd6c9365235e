"""The driver with an agent that refuses an update, or takes none: what is left of it arrives, and the end waits."""

from __future__ import annotations

import asyncio

from executor.mesos import events
from executor.mesos.status import TaskState
from tests.support.driving import driving
from tests.support.scripted_agent import Answer, Request, ScriptedAgent, Subscription, http, welcome


async def test_an_update_that_the_agent_refuses_arrives_without_what_explains_it() -> None:
    """A reason that this Mesos does not know costs the reason, and not the task's end."""

    async def refuse(request: Request) -> Answer:
        return (400, "Failed to parse body into Call protobuf") if "reason" in request.status else (202, "")

    async with ScriptedAgent(answer=refuse) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        driver.update(state=TaskState.FAILED, message="out of it", reason="REASON_NEWER", labels={"a": "b"})
        driver.update("u")
        whole, reduced, other = [(await agent.call()).status for _ in range(3)]
        assert whole["uuid"] == reduced["uuid"] and whole["reason"] == "REASON_NEWER"
        assert (reduced["state"], reduced["message"]) == ("TASK_FAILED", "out of it")
        assert not {"reason", "labels"} & set(reduced) and other["task_id"] == {"value": "u"}


async def test_an_update_that_the_agent_refuses_does_not_keep_the_executor_from_subscribing() -> None:
    async def hang(_: Request) -> Answer:
        await asyncio.sleep(60)
        return 202, ""

    async def greet(subscription: Subscription) -> None:
        if any("reason" in update for update in subscription.unacknowledged_updates):
            await subscription.write(http(400, "Failed to parse body into Call protobuf"))
        else:
            await welcome(subscription)

    async with ScriptedAgent(greet=greet, answer=hang) as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update(state=TaskState.FAILED, message="why", reason="REASON_NEWER")
        stream.reset()
        await agent.subscribed()
        (carried,) = (await agent.subscribed()).unacknowledged_updates
        assert carried["message"] == "why" and "reason" not in carried


async def test_drained_waits_for_an_agent_that_is_away_or_hangs() -> None:
    """Its limit is for one that has everything, and does not acknowledge."""
    hung = asyncio.Event()

    async def hang(_: Request) -> Answer:
        await hung.wait()
        return 202, ""

    async with ScriptedAgent(answer=hang) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        driver.update(state=TaskState.FINISHED)
        drained = asyncio.create_task(driver.driver.drained(0.2))
        await asyncio.sleep(0.5)
        assert not drained.done(), "the agent has not taken it"
        await agent.die()
        await driver.next(events.Disconnected)
        await asyncio.sleep(0.5)
        assert not drained.done(), "the agent is away"
        hung.set()
        await agent.start()
        await driver.next(events.Subscribed)
        assert not await asyncio.wait_for(drained, 2), "it has it, and does not acknowledge it"


async def test_drained_ends_with_the_drivers_patience() -> None:
    async with ScriptedAgent() as agent, driving(agent, recovery_timeout_s=0.3) as driver:
        await driver.next(events.Subscribed)
        await agent.die()
        await driver.next(events.Disconnected)
        driver.update(state=TaskState.FINISHED)
        drained = asyncio.create_task(driver.driver.drained(60))
        await driver.next(events.Shutdown)
        assert not await asyncio.wait_for(drained, 2)
