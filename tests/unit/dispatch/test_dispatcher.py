"""The executor's own life with real parts: the driver at a scripted agent, the pods, a containerd that has nothing.

No image is on this node, so no set-up of a pod succeeds; the cgroups are plain directories.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from executor.dispatch.dispatcher import Dispatcher
from executor.mesos.driver import Driver
from executor.process.parts import assemble
from tests.support.empty_containerd import Calls, empty_containerd
from tests.support.scripted_agent import CHUNKED, SUBSCRIBED, Json, ScriptedAgent, Subscription, acknowledged
from tests.unit.pod.nodes import opened
from tests.unit.pod.samples import pod, task

RELEASED = {"Tasks/Delete", "Containers/Delete", "Snapshots/Remove"}


@dataclass
class Executor:
    agent: ScriptedAgent
    stream: Subscription
    dispatcher: Dispatcher
    calls: Calls
    running: asyncio.Task[None]

    async def launch(self, *names: str, kind: str = "Pod") -> None:
        """Launch pods whose image is not on the node and must not be pulled."""
        for name in names:
            document = {**pod({"imagePullPolicy": "Never"}, hostNetwork=True), "kind": kind}
            one = task(document, task_id=name)
            await self.stream.send({"type": "LAUNCH", "launch": {"task": one}})

    async def call(self, kind: str) -> Json:
        while (request := await self.agent.call()).body["type"] != kind:
            pass
        return request.body

    async def update(self) -> Json:
        """The next status update, which the agent acknowledges."""
        status: Json = (await self.call("UPDATE"))["update"]["status"]
        await self.stream.send(acknowledged(status))
        return status

    async def end(self) -> None:
        await self.stream.send({"type": "SHUTDOWN"})
        async with asyncio.timeout(10):
            await self.running


@pytest.fixture
async def executor(tmp_path: Path) -> AsyncIterator[Executor]:
    (tmp_path / "sandbox").mkdir()
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(empty_containerd(tmp_path / "c.sock"))
        calls.failing["Images/Get"] = grpc.StatusCode.NOT_FOUND
        agent = await stack.enter_async_context(ScriptedAgent(greet=with_cpus))
        environment = agent.environment(sandbox=tmp_path / "sandbox")
        driver = await stack.enter_async_context(Driver(environment))
        node = await opened(tmp_path, stack)
        dispatcher = assemble(node, environment, driver)
        running = asyncio.create_task(dispatcher.run(nothing))
        yield Executor(agent, await agent.subscribed(), dispatcher, calls, running)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def with_cpus(subscription: Subscription) -> None:
    """An executor with cpus of its own, which need not end with its last pod."""
    cpus = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}
    info = SUBSCRIBED["subscribed"] | {"executor_info": {"executor_id": {"value": "e"}, "resources": [cpus]}}
    await subscription.write(CHUNKED)
    await subscription.send({"type": "SUBSCRIBED", "subscribed": info})


async def nothing() -> None:
    """No dead executor left anything."""


async def test_a_launch_that_cannot_work_is_refused_and_the_next_event_is_heard(executor: Executor) -> None:
    await executor.launch("bad", kind="Pot")
    refused = await executor.update()
    assert (refused["task_id"]["value"], refused["state"]) == ("bad", "TASK_FAILED")
    assert refused["reason"] == "REASON_TASK_INVALID"
    await executor.stream.send({"type": "KILL", "kill": {"task_id": {"value": "unknown"}}})
    unknown = await executor.update()
    assert (unknown["task_id"]["value"], unknown["state"]) == ("unknown", "TASK_GONE")
    await executor.end()


async def test_a_pod_whose_set_up_fails_is_released_and_harms_no_other_one(executor: Executor, tmp_path: Path) -> None:
    await executor.launch("web")
    assert (await executor.update())["state"] == "TASK_STARTING"
    failed = await executor.update()
    assert (failed["task_id"]["value"], failed["state"]) == ("web", "TASK_FAILED")
    assert "is not on this node" in failed["message"]
    assert await executor.dispatcher.pods.wait_ended(10)
    assert set(executor.calls.seen) >= RELEASED, set(executor.calls.seen)
    assert not list((tmp_path / "cgroup").rglob("pod-*"))
    await executor.launch("web", "db")
    seen = [await executor.update() for _ in range(4)]
    assert {(each["task_id"]["value"], each["state"]) for each in seen} == {
        (name, state) for name in ("web", "db") for state in ("TASK_STARTING", "TASK_FAILED")
    }
    await executor.end()


async def test_a_known_task_is_launched_once_and_a_late_one_is_dropped(executor: Executor) -> None:
    executor.calls.held.clear()
    await executor.launch("web", "web")
    assert (await executor.update())["state"] == "TASK_STARTING"
    await executor.stream.send({"type": "SHUTDOWN"})
    await executor.launch("late")
    seen = [await executor.update()]  # by then it has read the shutdown
    executor.calls.held.set()
    seen.append(await executor.update())
    assert {(each["task_id"]["value"], each["state"]) for each in seen} == {
        ("web", "TASK_KILLED"), ("late", "TASK_DROPPED"),
    }  # fmt: skip
    async with asyncio.timeout(10):
        await executor.running
