"""The driver while its agent is away, does not answer or never comes back: nothing lost, nothing twice, an end."""

from __future__ import annotations

import asyncio
import time

import pytest

from executor.mesos import events
from executor.mesos.driver import CLOSE_TIMEOUT_S
from executor.mesos.reconnect import STEADY_S
from executor.mesos.status import TaskState
from tests.support.driving import driving, until
from tests.support.scripted_agent import Answer, Request, ScriptedAgent, acknowledged, answering, http, launch


async def test_what_was_made_while_the_agent_was_away_goes_with_the_next_subscription_in_order_and_once() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        await (await agent.subscribed()).send(launch("t"), launch("u"))
        await driver.next(events.Subscribed)
        driver.update("t", message="0")
        await agent.call()
        await agent.die()
        await driver.next(events.Launch)
        await driver.next(events.Launch)
        await driver.next(events.Disconnected)
        for number in (1, 2, 3):
            driver.update("t", message=str(number))
        await agent.start()
        stream = await agent.subscribed()
        assert [update["message"] for update in stream.unacknowledged_updates] == ["0", "1", "2", "3"]
        assert len({update["uuid"] for update in stream.unacknowledged_updates}) == 4
        assert stream.unacknowledged_tasks == ["t", "u"]
        assert (await driver.next(events.Subscribed)).resubscribed
        driver.update("t", message="4")
        assert (await agent.call()).status["message"] == "4"
        await stream.send(*[acknowledged(update) for update in stream.unacknowledged_updates])
        await until(lambda: driver.driver.unacknowledged == 1)
        stream.reset()
        again = await agent.subscribed()
        assert [update["message"] for update in again.unacknowledged_updates] == ["4"]
        assert again.unacknowledged_tasks == ["u"]


async def test_a_call_that_the_dead_agent_never_answered_goes_with_the_next_subscription() -> None:
    stuck = asyncio.Event()

    async def hang(request: Request) -> Answer:
        stuck.set()
        await asyncio.sleep(60)
        return 202, ""

    async with ScriptedAgent(answer=hang) as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update(message="1")
        driver.update(message="2")
        await asyncio.wait_for(stuck.wait(), 5)
        stream.reset()
        agent.answer = ScriptedAgent().answer
        again = await agent.subscribed()
        assert [update["message"] for update in again.unacknowledged_updates] == ["1", "2"]
        driver.update(message="3")
        assert (await agent.call()).status["message"] == "3"
        await driver.next(events.Disconnected)
        await driver.next(events.Subscribed)
        assert agent.calls.empty()


@pytest.mark.parametrize("answer", [(503, "Agent has not finished recovery"), (500, ""), (403, "not subscribed")])
async def test_an_update_that_the_agent_does_not_take_now_is_sent_again_before_the_next(answer: Answer) -> None:
    answers = [answer, answer]

    async def flaky(request: Request) -> Answer:
        return answers.pop() if answers else (202, "")

    async with ScriptedAgent(answer=flaky) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        driver.update(message="1")
        driver.update(message="2")
        calls = [(await agent.call()).status for _ in range(4)]
        assert [call["message"] for call in calls] == ["1", "1", "1", "2"]
        assert len({call["uuid"] for call in calls[:3]}) == 1


async def test_an_answer_that_breaks_off_is_no_answer() -> None:
    broken = [True]

    async def breaking(request: Request) -> Answer:
        if broken:
            broken.clear()
            raise ConnectionResetError
        return 202, ""

    async with ScriptedAgent(answer=breaking) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        driver.update()
        await agent.call()
        assert driver.driver.unacknowledged == 1


async def test_a_large_subscription_is_sent_whole() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        for number in range(20):
            driver.update(message=f"{number}" + "x" * 300_000)
        stream.reset()
        again = await agent.subscribed()
        await driver.next(events.Disconnected)
        await driver.next(events.Subscribed)
        assert len(again.unacknowledged_updates) >= 1
        await until(lambda: len(again.unacknowledged_updates) + agent.calls.qsize() >= 20)


async def test_the_recovery_timeout_ends_in_a_shutdown() -> None:
    async with ScriptedAgent() as agent, driving(agent, recovery_timeout_s=0.5, shutdown_grace_s=7.0) as driver:
        await driver.next(events.Subscribed)
        await agent.die()
        await driver.next(events.Disconnected)
        lost = time.monotonic()
        shutdown = await driver.next(events.Shutdown)
        assert 0.4 <= time.monotonic() - lost < 2.0
        assert shutdown.grace_s == 7.0
        assert "0.5 s" in shutdown.why
        assert await driver.quiet()
        await agent.start()
        assert await driver.quiet(0.3)
        driver.update(state=TaskState.KILLED)
        assert not await driver.driver.drained(0.05)


async def test_without_checkpointing_a_lost_agent_is_a_shutdown_at_once() -> None:
    async with ScriptedAgent() as agent, driving(agent, checkpoint=False) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        stream.reset()
        lost = time.monotonic()
        await driver.next(events.Disconnected)
        assert "does not checkpoint" in (await driver.next(events.Shutdown)).why
        assert time.monotonic() - lost < 0.5
        assert agent.subscriptions.empty()


async def test_without_checkpointing_the_first_subscription_may_take_several_tries() -> None:
    async with ScriptedAgent(greet=answering(http(503, ""))) as agent, driving(agent, checkpoint=False) as driver:
        await driver.next(events.Subscribed)
        assert agent.subscriptions.qsize() == 2


async def test_a_lost_agent_is_tried_again_within_a_tenth_of_a_second() -> None:
    """The second time as well. A busy machine only adds to it, so the quickest of a few tries count."""
    took_s = list[float]()
    async with ScriptedAgent() as agent, driving(agent) as driver:
        while sum(each < 0.25 for each in took_s) < 2:
            assert len(took_s) < 6, took_s
            stream = await agent.subscribed()
            await driver.next(events.Subscribed)
            await asyncio.sleep(STEADY_S * 1.05)
            lost = time.monotonic()
            stream.reset()
            await driver.next(events.Disconnected)
            await until(lambda: not agent.subscriptions.empty())
            took_s.append(time.monotonic() - lost)


async def test_close_is_bounded_while_the_agent_hangs() -> None:
    async def hang(request: Request) -> Answer:
        await asyncio.sleep(60)
        return 202, ""

    async with ScriptedAgent(answer=hang) as agent:
        async with driving(agent) as driver:
            await driver.next(events.Subscribed)
            driver.update()
            await asyncio.sleep(0.1)
            started = time.monotonic()
        assert time.monotonic() - started < 2 * CLOSE_TIMEOUT_S


async def test_close_does_not_wait_for_a_pause_between_tries() -> None:
    async with driving(ScriptedAgent(), subscription_backoff_max_s=60.0):
        await asyncio.sleep(1.5)  # pauses are some seconds long by now
        started = time.monotonic()
    assert time.monotonic() - started < 1.0
