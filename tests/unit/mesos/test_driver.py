"""The driver with an agent that behaves: real sockets, real threads, the test's own event loop."""

from __future__ import annotations

import asyncio
import base64
import time
from pathlib import Path

import pytest

from executor.mesos import events
from executor.mesos.driver import Driver
from executor.mesos.status import TaskState, status
from executor.names import TaskId
from tests.support.driving import driving, until
from tests.support.scripted_agent import Answer, Json, Request, ScriptedAgent, acknowledged, launch

KILL: Json = {
    "type": "KILL",
    "kill": {"task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": 7000000000}}},
}


async def test_the_first_subscription() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        subscribed = await driver.next(events.Subscribed)
        assert not subscribed.resubscribed
        assert subscribed.container_id == "c"
        request = (await agent.subscribed()).request
        assert request.line == "POST /api/v1/executor HTTP/1.1"
        assert request.body == {
            "type": "SUBSCRIBE",
            "framework_id": {"value": "f"},
            "executor_id": {"value": "e"},
            "subscribe": {"unacknowledged_tasks": [], "unacknowledged_updates": []},
        }
        assert "authorization" not in request.headers


async def test_events_come_in_order() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        message = {"type": "MESSAGE", "message": {"data": "cGluZwA="}}
        heartbeat, unknown = {"type": "HEARTBEAT"}, {"type": "TELEPORT", "teleport": {}}
        error = {"type": "ERROR", "error": {"message": "no"}}
        await stream.send(launch("t"), heartbeat, KILL, unknown, message, error, {"type": "SHUTDOWN"})
        await driver.next(events.Subscribed)
        assert await driver.next(events.Launch) == events.Launch((launch("t")["launch"]["task"],), group=False)
        assert await driver.next(events.Kill) == events.Kill(TaskId("t"), 7.0)
        assert await driver.next(events.Message) == events.Message(b"ping\0")
        assert await driver.next(events.AgentError) == events.AgentError("no")
        assert await driver.next(events.Shutdown) == events.Shutdown(5.0, "the agent asked for it")


async def test_an_update_is_completed_sent_kept_and_acknowledged() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        before = time.time()
        driver.update(message="up")
        assert driver.driver.unacknowledged == 1
        call = await agent.call()
        assert {key: call.body[key] for key in ("type", "framework_id", "executor_id")} == {
            "type": "UPDATE",
            "framework_id": {"value": "f"},
            "executor_id": {"value": "e"},
        }
        sent = dict(call.status)
        assert len(base64.b64decode(sent.pop("uuid"))) == 16
        assert before <= sent.pop("timestamp") <= time.time()
        assert sent == {
            "task_id": {"value": "t"},
            "state": "TASK_RUNNING",
            "message": "up",
            "source": "SOURCE_EXECUTOR",
            "executor_id": {"value": "e"},
            "agent_id": {"value": "a"},
        }
        assert not await driver.driver.drained(0.05)
        drained = asyncio.create_task(driver.driver.drained(5.0))
        await stream.send(acknowledged(call.status))
        assert await drained
        assert (await driver.next(events.Acknowledged)).task_id == "t"


async def test_an_uuid_is_acknowledged_once() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update()
        sent = (await agent.call()).status
        await stream.send(acknowledged(sent), acknowledged(sent), KILL)
        await driver.next(events.Acknowledged)
        await driver.next(events.Kill)


async def test_the_update_is_a_copy_and_must_be_json() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        mine = status(TaskId("t"), TaskState.RUNNING, labels={"k": "before"})
        driver.driver.update(mine)
        mine["labels"]["labels"][0]["value"] = "after"
        assert (await agent.call()).status["labels"]["labels"][0]["value"] == "before"
        with pytest.raises(TypeError):
            driver.driver.update({**mine, "data": b"bytes"})
        assert driver.driver.unacknowledged == 1


async def test_many_updates_keep_their_order_on_one_connection() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        for number in range(300):
            driver.update(f"t{number % 7}", message=str(number))
        assert [(await agent.call()).status["message"] for _ in range(300)] == [str(number) for number in range(300)]
        assert agent.connections == 2


async def test_updates_and_messages_made_before_the_agent_is_there() -> None:
    agent = ScriptedAgent()
    await agent.start()
    await agent.die()
    async with driving(agent) as driver:
        driver.update(message="early")
        driver.driver.message(b"hello")
        await asyncio.sleep(0.2)
        await agent.start()
        stream = await agent.subscribed()
        assert [update["message"] for update in stream.unacknowledged_updates] == ["early"]
        call = await agent.call()
        assert call.body["type"] == "MESSAGE"
        assert base64.b64decode(call.body["message"]["data"]) == b"hello"
    await agent.die()


async def test_a_repeated_launch_is_an_event_like_the_first() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await stream.send(launch("t"), launch("t"))
        await driver.next(events.Subscribed)
        assert await driver.next(events.Launch) == await driver.next(events.Launch)


async def test_after_shutdown_last_updates_still_go_out() -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await stream.send({"type": "SHUTDOWN"}, {"type": "SHUTDOWN"})
        await driver.next(events.Subscribed)
        await driver.next(events.Shutdown)
        driver.update(state=TaskState.KILLED)
        call = await agent.call()
        await stream.send(acknowledged(call.status))
        assert await driver.driver.drained(5.0)
        await driver.next(events.Acknowledged)
        assert await driver.quiet()


async def test_the_token_goes_with_every_call() -> None:
    async with ScriptedAgent() as agent, driving(agent, authentication_token="secret") as driver:
        assert (await agent.subscribed()).request.headers["authorization"] == "Bearer secret"
        driver.update()
        assert (await agent.call()).headers["authorization"] == "Bearer secret"


async def test_the_path_of_an_agent_in_a_shared_process() -> None:
    async with ScriptedAgent() as agent, driving(agent, api_path="/slave(1)/api/v1/executor") as driver:
        assert (await agent.subscribed()).request.line == "POST /slave(1)/api/v1/executor HTTP/1.1"
        driver.update()
        assert (await agent.call()).line == "POST /slave(1)/api/v1/executor HTTP/1.1"


async def test_a_domain_socket(tmp_path: Path) -> None:
    async with ScriptedAgent(domain_socket=tmp_path / "agent.sock") as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update()
        await stream.send(acknowledged((await agent.call()).status))
        assert await driver.driver.drained(5.0)


async def test_an_update_never_waits_for_the_agent() -> None:
    async def slow(request: Request) -> Answer:
        await asyncio.sleep(1.5)
        return 202, ""

    async with ScriptedAgent(answer=slow) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        started = time.perf_counter()
        for number in range(100):
            driver.update(message=str(number))
            driver.driver.message(b"x")
            assert driver.driver.unacknowledged == number + 1
        assert time.perf_counter() - started < 1.0
        await agent.call()


async def test_close_ends_the_events_and_may_be_repeated() -> None:
    async with ScriptedAgent() as agent:
        driver = Driver(agent.environment())
        async with driver:
            await agent.subscribed()
        await driver.close()
        seen = [event async for event in driver.events()]
        assert len(seen) <= 1


async def test_a_driver_that_was_never_opened_can_be_closed() -> None:
    driver = Driver(ScriptedAgent().environment())
    driver.update({"task_id": {"value": "t"}, "state": "TASK_RUNNING"})
    await driver.close()
    assert driver.unacknowledged == 1


async def test_a_refused_update_is_dropped_and_the_next_one_goes_out() -> None:
    async def refuse(request: Request) -> Answer:
        return (400, "Not a valid UUID") if request.status["message"] == "bad" else (202, "")

    async with ScriptedAgent(answer=refuse) as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update(message="bad")
        driver.update(message="good")
        assert [(await agent.call()).status["message"] for _ in range(2)] == ["bad", "good"]
        await until(lambda: driver.driver.unacknowledged == 1)
        stream.reset()
        assert [update["message"] for update in (await agent.subscribed()).unacknowledged_updates] == ["good"]


async def test_a_refusal_ends_the_wait_of_drained() -> None:
    async def refuse(request: Request) -> Answer:
        return 400, "no"

    async with ScriptedAgent(answer=refuse) as agent, driving(agent) as driver:
        await driver.next(events.Subscribed)
        driver.update()
        assert await driver.driver.drained(5.0)


async def test_what_is_no_text_does_not_cost_the_whole_update() -> None:
    """The agent refuses a body with half a surrogate pair, and a refused update is dropped."""
    async with ScriptedAgent() as agent, driving(agent) as driver:
        await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update(message="half a \ud83d, a whole \U0001f600")
        assert (await agent.call()).status["message"] == "half a ?, a whole \U0001f600"
