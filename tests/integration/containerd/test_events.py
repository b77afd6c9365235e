"""Events: live when the subscription is entered, and never missing in silence, whatever happens to containerd."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from executor import log
from executor.containerd import Containerd
from executor.containerd.events import Subscription, Topic
from executor.containerd.types import Event, Resync, TaskDelete, TaskExit, TaskOom, TaskStart, TaskStatus
from executor.errors import ContainerdUnavailable, NotFound
from tests.integration.containerd.launching import Launcher, alive, process, wait_dead
from tests.support.containerd import PrivateContainerd

pytestmark = pytest.mark.root


@pytest.fixture
def node() -> Iterator[PrivateContainerd]:
    """One for each test here, since they kill it."""
    with PrivateContainerd() as containerd:
        yield containerd


@pytest.fixture
async def stream(client: Containerd) -> AsyncIterator[Subscription]:
    async with client.events.subscribe() as subscription:
        yield subscription


async def following(stream: Subscription, *, timeout_s: float = 20.0) -> Event:
    async with asyncio.timeout(timeout_s):
        return await anext(stream)


async def test_an_exit_right_after_subscribing_is_seen(client: Containerd, launcher: Launcher) -> None:
    pid = await launcher.create("short", "exit 4")
    for _ in range(5):  # however often it is tried: live means live
        async with client.events.subscribe():
            pass
    async with client.events.subscribe() as stream:
        await client.tasks.start("short")
        event = await following(stream)

    assert isinstance(event, TaskExit)
    assert (event.container_id, event.exec_id, event.pid, event.exit_status) == ("short", "", pid, 4)
    assert event.exited_at == (await client.tasks.get("short")).exited_at


async def test_every_topic_is_decoded(client: Containerd, launcher: Launcher) -> None:
    """The shim has another container: that of containerd 2.1 loses the last events when it ends itself."""
    await launcher.run("other", "sleep 1000", shim_group="pod")
    async with client.events.subscribe(tuple(Topic)) as stream:
        await launcher.run("all", "exit 0", shim_group="pod")
        await client.tasks.wait("all")
        await client.tasks.delete("all")
        kinds = {type(await following(stream)) for _ in range(3)}

    assert kinds == {TaskStart, TaskExit, TaskDelete}, "in any order: a task that ends at once may end first"


async def test_an_exec_is_told_from_its_container(client: Containerd, launcher: Launcher) -> None:
    await launcher.run("host", "sleep 1000")
    async with client.events.subscribe((Topic.EXIT, Topic.EXEC_STARTED)) as stream:
        await client.tasks.exec("host", "side", process(["/bin/true"]))
        await client.tasks.start("host", exec_id="side")
        started, ended = await following(stream), await following(stream)

    assert isinstance(started, TaskStart) and (started.container_id, started.exec_id) == ("host", "side")
    assert isinstance(ended, TaskExit) and (ended.container_id, ended.exec_id) == ("host", "side")


async def test_an_oom_is_reported(client: Containerd, launcher: Launcher) -> None:
    async with client.events.subscribe((Topic.OOM,)) as stream:
        # Again and again, for the shim starts to listen only after the first process has been started.
        await launcher.create("hog", "while :; do (x=a; while :; do x=$x$x; done); sleep 0.1; done")
        await client.tasks.update("hog", {"memory": {"limit": 16 << 20, "swap": 16 << 20}})
        await client.tasks.start("hog")

        assert await following(stream) == TaskOom("hog")


async def test_other_namespaces_are_not_heard(
    node: PrivateContainerd, client: Containerd, launcher: Launcher, stream: Subscription
) -> None:
    async with (
        await Containerd.connect(node.address, "somebody-else") as other,
        other.events.subscribe() as others,
    ):
        await launcher.run("private", "exit 0")
        assert isinstance(await following(stream), TaskExit)

        with pytest.raises(TimeoutError):
            await following(others, timeout_s=0.3)


async def test_containers_survive_a_killed_containerd_and_a_resync_tells_of_it(
    node: PrivateContainerd, client: Containerd, launcher: Launcher, stream: Subscription
) -> None:
    seen: list[Mapping[str, Any]] = []
    remove_sink = log.add_sink(seen.append)
    pid = await launcher.run("survivor", "sleep 1000")
    await launcher.run("victim", "sleep 1000")
    waiting = asyncio.create_task(client.tasks.wait("survivor"))
    reading = asyncio.create_task(following(stream))
    await asyncio.sleep(0.1)

    node.kill()
    with pytest.raises(ContainerdUnavailable, match=r"survivor.*c\.sock"):
        await waiting
    with pytest.raises(ContainerdUnavailable, match=r"c\.sock"):
        await client.version()
    os.kill((await asyncio.to_thread(_init_pids, node))["victim"], signal.SIGKILL)  # nobody hears this exit
    node.start()

    assert await reading == Resync()
    remove_sink()
    assert [each["code"] for each in seen if each["code"].startswith("containerd.")] == ["containerd.unavailable"]
    tasks = {task.container_id: task for task in await client.tasks.list()}
    assert (tasks["survivor"].status, tasks["survivor"].pid) == (TaskStatus.RUNNING, pid) and alive(pid)
    if victim := tasks.get("victim"):  # containerd 2 removes the record of a task that stopped while it was away
        assert victim.status is TaskStatus.STOPPED
    await client.tasks.kill("survivor", signal.SIGKILL)
    event = await following(stream)
    while isinstance(event, TaskExit) and event.container_id == "victim":
        event = await following(stream)  # the shim may tell the new containerd what it could not tell the old one
    assert isinstance(event, TaskExit) and (event.container_id, event.exit_status) == ("survivor", 137)


async def test_a_service_restart_is_the_same(
    node: PrivateContainerd, client: Containerd, launcher: Launcher, stream: Subscription
) -> None:
    pid = await launcher.run("steady", "sleep 1000")
    reading = asyncio.create_task(following(stream))

    await asyncio.to_thread(node.stop)
    node.start()

    assert await reading == Resync()
    assert (await client.tasks.get("steady")).pid == pid


async def test_a_killed_shim_ends_its_container_with_an_event(
    node: PrivateContainerd, client: Containerd, launcher: Launcher, stream: Subscription
) -> None:
    pid = await launcher.run("orphan", "sleep 1000")
    (shim,) = node.shims()

    os.kill(shim, signal.SIGKILL)
    event = await following(stream)

    assert isinstance(event, TaskExit) and (event.container_id, event.exit_status) == ("orphan", 137)
    assert await wait_dead(pid)
    with pytest.raises(NotFound):
        await client.tasks.get("orphan")
    await launcher.remove("orphan")


async def test_a_read_that_was_cancelled_costs_a_resync_and_nothing_else(
    client: Containerd, launcher: Launcher, stream: Subscription
) -> None:
    with pytest.raises(TimeoutError):
        await following(stream, timeout_s=0.05)

    assert await following(stream) == Resync()
    await launcher.run("after", "exit 0")
    event = await following(stream)
    assert isinstance(event, TaskExit) and event.container_id == "after"


async def test_closing_the_connection_ends_the_stream_in_an_error_of_ours(
    client: Containerd, stream: Subscription
) -> None:
    async def close_while_reading() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(following(stream))
            await asyncio.sleep(0.1)
            await client.close()

    with pytest.raises(ExceptionGroup) as caught:
        await close_while_reading()

    assert caught.group_contains(ContainerdUnavailable, match="closed")


async def test_subscribing_to_nobody_fails_at_once(node: PrivateContainerd, client: Containerd) -> None:
    node.kill()

    with pytest.raises(ContainerdUnavailable, match=r"c\.sock"):
        async with client.events.subscribe():
            pass


def _init_pids(node: PrivateContainerd) -> dict[str, int]:
    files = (node.directory / "state/io.containerd.runtime.v2.task").glob("*/*/init.pid")
    return {file.parent.name: int(file.read_text()) for file in files}
