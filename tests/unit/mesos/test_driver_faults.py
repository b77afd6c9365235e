"""The driver with an agent that speaks nonsense, or in pieces: every event comes out, or another subscription."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.mesos import events
from executor.mesos.pymesos_fixes import READ_BYTES
from tests.support.driving import driving
from tests.support.scripted_agent import (
    CHUNKED,
    SUBSCRIBED,
    Json,
    ScriptedAgent,
    Subscription,
    answering,
    chunk,
    http,
    launch,
    record,
)

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
