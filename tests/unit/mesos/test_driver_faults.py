"""The driver with an agent that dies, lies, stalls or speaks nonsense: nothing lost, nothing twice, no death."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.mesos import events
from executor.mesos.driver import CLOSE_TIMEOUT_S
from executor.mesos.pymesos_fixes import READ_BYTES
from executor.mesos.status import TaskState
from tests.support.driving import driving, until
from tests.support.scripted_agent import (
    CHUNKED,
    SUBSCRIBED,
    Answer,
    Json,
    Request,
    ScriptedAgent,
    Subscription,
    acknowledged,
    chunk,
    launch,
    record,
    welcome,
)

Greet = Callable[[Subscription], Awaitable[None]]


def answering(first: bytes, *, close: bool = False) -> Greet:
    """Answers the first SUBSCRIBE with these bytes, every later one well."""
    pending = [first]

    async def greet(subscription: Subscription) -> None:
        if not pending:
            await welcome(subscription)
            return
        await subscription.write(pending.pop())
        if close:
            subscription.close()

    return greet


def http(status: int, text: str) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


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


GARBAGE = [
    pytest.param(CHUNKED + chunk(b"not recordio"), id="no RecordIO"),
    pytest.param(CHUNKED + chunk(b"3\n{]}"), id="no JSON"),
    pytest.param(CHUNKED + chunk(b"4\n" + b'"hi"'), id="no object"),
    pytest.param(CHUNKED + chunk(b"2\n\xff\xfe"), id="no UTF-8"),
    pytest.param(CHUNKED + chunk(b"20000\n" + b"[" * 20000), id="too deep"),
    pytest.param(CHUNKED + b"zz\r\n", id="no chunk"),
    pytest.param(CHUNKED + chunk(record({"type": "LAUNCH", "launch": {}})), id="no form"),
    pytest.param(CHUNKED + chunk(b"99999999999\n"), id="endless"),
    pytest.param(b"\x16\x03\x01\x02\x00 TLS?\r\n\r\n", id="no HTTP"),
    pytest.param(CHUNKED + chunk(record(SUBSCRIBED)) + b"0\r\n\r\n", id="end of stream"),
    pytest.param(http(503, "Agent has not finished recovery"), id="503"),
    pytest.param(http(404, ""), id="404"),
    pytest.param(http(500, ""), id="500"),
    pytest.param(http(200, "{}"), id="no stream"),
    pytest.param(http(400, "Executor cannot be found"), id="400"),
]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_is_answered_by_another_subscription(garbage: bytes) -> None:
    async with ScriptedAgent(greet=answering(garbage)) as agent, driving(agent) as driver:
        await agent.subscribed()
        stream = await agent.subscribed()
        await stream.send(launch("t"))
        if SUBSCRIBED["type"].encode() in garbage:
            await driver.next(events.Subscribed)
            await driver.next(events.Disconnected)
        await driver.next(events.Subscribed)
        await driver.next(events.Launch)


@pytest.mark.parametrize(
    "part", [b"", b"HTTP/1.1 2", CHUNKED, CHUNKED + b"64\r\n40\n{", http(400, "")[:-1] + b"5\r\n\r\nab"]
)
async def test_an_end_in_the_middle(part: bytes) -> None:
    async with ScriptedAgent(greet=answering(part, close=True)) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        assert await driver.quiet(0.05)


async def test_events_before_the_garbage_count() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await stream.write(chunk(record(launch("t")) + b"garbage"))
        await driver.next(events.Subscribed)
        await driver.next(events.Launch)
        await driver.next(events.Disconnected)
        assert (await agent.subscribed()).unacknowledged_tasks == ["t"]


def wire(sent: list[Json], together: int) -> bytes:
    """The events as records, several in one chunk, so that records and chunks do not end together."""
    data = b"".join(record(event) for event in sent)
    return CHUNKED + b"".join(chunk(data[at : at + together]) for at in range(0, len(data), together))


@settings(max_examples=25)
@given(st.lists(st.integers(0, 4000), max_size=6), st.integers(1, 400), st.integers(0, 3))
async def test_a_stream_cut_at_any_byte(cuts: list[int], together: int, count: int) -> None:
    sent = [SUBSCRIBED, *[launch(f"t{number}") for number in range(count)]]
    data = wire(sent, together)
    bounds = sorted({0, len(data), *[cut % len(data) for cut in cuts]})

    async def dribble(subscription: Subscription) -> None:
        for begin, end in itertools.pairwise(bounds):
            await subscription.write(data[begin:end])
            await asyncio.sleep(0.001)

    async with ScriptedAgent(greet=dribble) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        for number in range(count):
            assert (await driver.next(events.Launch)).tasks[0]["name"] == f"t{number}"


async def test_a_launch_far_larger_than_a_read_and_many_events_in_one() -> None:
    big: Json = {"type": "LAUNCH", "launch": {"task": {"task_id": {"value": "big"}, "data": "A" * READ_BYTES * 20}}}
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await stream.write(chunk(record(big) + b"".join(record(launch(str(number))) for number in range(500))))
        await driver.next(events.Subscribed)
        assert (await driver.next(events.Launch)).tasks == (big["launch"]["task"],)
        for number in range(500):
            assert (await driver.next(events.Launch)).tasks[0]["name"] == str(number)


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
    async with ScriptedAgent() as agent, driving(agent) as driver:
        for _ in range(2):
            stream = await agent.subscribed()
            await driver.next(events.Subscribed)
            await asyncio.sleep(1.05)  # a subscription that lasted
            lost = time.monotonic()
            stream.reset()
            await driver.next(events.Disconnected)
            await until(lambda: not agent.subscriptions.empty())
            assert time.monotonic() - lost < 0.25  # 0.1, and what a busy machine adds


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
