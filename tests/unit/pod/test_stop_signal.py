"""The stop signal and the preStop hook of a run of a container, on real processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from executor.exec.run import Result
from executor.log import get_logger
from executor.names import TaskId
from executor.pod.container import stop_signal
from executor.pod.container.container_run import ContainerRun
from executor.probes.ask import Means, Reach
from executor.spec.model import ContainerSpec
from executor.spec.probes import NO_HOOKS, Exec, Hooks, Sleep
from tests.unit.pod.runs import ran

log = get_logger(__name__)
HOOK = Hooks(pre_stop=Exec(("drain",)))
LIMIT_S = 10.0


def container(hooks: Hooks = NO_HOOKS) -> ContainerSpec:
    return ContainerSpec(name="app", image="image", task_id=TaskId("t"), hooks=hooks)


def reach(current: ContainerRun, run: Callable[[Exec, float | None], Awaitable[Result]]) -> Reach:
    return Reach(list, lambda: -1, run, current.runs)


async def stop(current: ContainerRun, hooks: Hooks, hook: Callable[[], Awaitable[None]]) -> None:
    async def run(_: Exec, __: float | None) -> Result:
        await hook()
        return Result(0, "")

    async with asyncio.timeout(LIMIT_S):
        await stop_signal.send_after_hook(current, container(hooks), reach(current, run), Means(), log)


async def test_the_signal_comes_after_the_hook() -> None:
    with ran() as (current, process):

        async def hook() -> None:
            assert process.poll() is None

        await stop(current, HOOK, hook)
        assert process.wait(LIMIT_S) == -signal.SIGTERM


async def test_the_signal_after_a_hook_never_reaches_the_next_run() -> None:
    """The first run ends while its hook runs, and the container is started again meanwhile."""
    with ran(1) as (first, process), ran(2) as (_, next_process):

        async def hook() -> None:
            process.kill()
            process.wait()
            first.close()  # as its removal before the restart does

        await stop(first, HOOK, hook)
        await asyncio.sleep(0.05)
        assert next_process.poll() is None


async def test_a_hook_ends_with_its_run() -> None:
    """A preStop hook has no time limit: one that hangs must not outlive every restart of its container."""
    with ran(1, "sleep", "0.1") as (current, _):
        await stop(current, Hooks(pre_stop=Sleep(1000.0)), asyncio.Event().wait)  # type: ignore[arg-type]
        assert not current.lives()


async def test_a_run_that_has_ended_gets_no_hook() -> None:
    asked: list[str] = []
    with ran(1, "true") as (current, process):
        process.wait(LIMIT_S)

        async def hook() -> None:
            asked.append("hook")

        await stop(current, HOOK, hook)
    assert not asked


def test_a_signal_is_sent_to_a_process_that_is_there() -> None:
    with ran() as (current, process):
        assert stop_signal.send(current, container())
        assert process.wait(LIMIT_S) == -signal.SIGTERM
        assert not stop_signal.send(current, container())
    with ran() as (current, process):
        current.started_at = None
        assert not stop_signal.send(current, container()), "its first process is runc's yet"
        assert process.poll() is None
        current.close()
        current.close()
