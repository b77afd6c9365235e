"""What pymesos would do to its process, and that it does not."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.mesos import events
from executor.mesos.driver import Driver
from executor.mesos.events import Event
from executor.mesos.outbox import Outbox
from executor.mesos.pymesos_fixes import ExecutorDriver
from executor.mesos.session import Session
from tests.support.driving import driving
from tests.support.scripted_agent import ScriptedAgent, acknowledged, launch

ROOT = Path(__file__).parents[3]


def run(code: str) -> str:
    """The output of a fresh interpreter."""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_pymesos_takes_sigint_and_the_fixes_give_it_back() -> None:
    look = (
        "import signal; before = signal.getsignal(signal.SIGINT); {}; print(signal.getsignal(signal.SIGINT) is before)"
    )
    assert run(look.format("import pymesos.process")) == "False", "the defect is gone; so can be its fix"
    assert run(look.format("import executor.mesos.pymesos_fixes")) == "True"


def test_sigint_is_not_left_blocked() -> None:
    code = "import signal, executor.mesos.pymesos_fixes; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    assert run(code) == "set()"


def test_pymesos_has_no_log_of_its_own() -> None:
    assert logging.getLogger("pymesos").handlers == []


def test_importing_the_driver_does_not_import_pymesos() -> None:
    code = "import sys, executor.mesos.driver; print({'pymesos', 'http.client', 'h11'} & set(sys.modules))"
    assert run(code) == "set()"


async def test_two_threads_and_none_after_close() -> None:
    before = set(threading.enumerate())
    async with ScriptedAgent() as agent:
        async with Driver(agent.environment()):
            await agent.subscribed()
            assert len(set(threading.enumerate()) - before) == 2
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert not {name for name in names if not name.startswith("asyncio")}


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """So many that the next one is above what select() can take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("needs 2048 file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    yield
    for descriptor in held:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_more_descriptors_than_select_can_take(many_descriptors: None) -> None:
    async with ScriptedAgent() as agent, driving(agent) as driver:
        stream = await agent.subscribed()
        await driver.next(events.Subscribed)
        driver.update()
        await stream.send(acknowledged((await agent.call()).status))
        assert await driver.driver.drained(5.0)


async def test_no_descriptor_is_left() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async with ScriptedAgent() as agent:
        counts = []
        for _ in range(3):
            async with driving(agent) as driver:
                stream = await agent.subscribed()
                await driver.next(events.Subscribed)
                driver.update()
                await agent.call()
                stream.reset()
                await agent.subscribed()
            await agent.die()
            await agent.start()
            counts.append(count())
        assert counts[2] == counts[1]


async def test_a_defect_in_the_thread_is_a_shutdown_not_the_end_of_the_process() -> None:
    seen: list[Event] = []

    def emit(event: Event) -> None:
        if isinstance(event, events.Launch):
            raise ZeroDivisionError
        seen.append(event)

    async with ScriptedAgent() as agent:
        environment, outbox = agent.environment(), Outbox()
        link = ExecutorDriver(environment, Session(environment, outbox, emit), outbox)
        link.start()
        await (await agent.subscribed()).send(launch("t"))
        await asyncio.to_thread(link.join, 5.0)
    assert [type(event) for event in seen] == [events.Subscribed, events.Shutdown]
