"""The stop signal and the preStop hook of a run of a container, on real processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from executor.exec.run import Result
from executor.log import get_logger
from executor.names import TaskId
from executor.pod import stop_signal
from executor.pod.made import Made
from executor.probes.ask import Means, Reach
from executor.spec.model import ContainerSpec
from executor.spec.probes import NO_HOOKS, Exec, Hooks, Sleep
from tests.unit.pod.runs import ran

log = get_logger(__name__)
HOOK = Hooks(pre_stop=Exec(("drain",)))
LIMIT_S = 10.0


def container(hooks: Hooks = NO_HOOKS) -> ContainerSpec:
    return ContainerSpec(name="app", image="image", task_id=TaskId("t"), hooks=hooks)


def reach(made: Made, run: Callable[[Exec, float | None], Awaitable[Result]]) -> Reach:
    return Reach(list, lambda: -1, run, made.runs)


async def stop(made: Made, hooks: Hooks, hook: Callable[[], Awaitable[None]]) -> None:
    async def run(_: Exec, __: float | None) -> Result:
        await hook()
        return Result(0, "")

    async with asyncio.timeout(LIMIT_S):
        await stop_signal.send_after_hook(made, container(hooks), reach(made, run), Means(), log)


async def test_the_signal_comes_after_the_hook() -> None:
    with ran() as (made, process):

        async def hook() -> None:
            assert process.poll() is None

        await stop(made, HOOK, hook)
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
    with ran(1, "sleep", "0.1") as (made, _):
        await stop(made, Hooks(pre_stop=Sleep(1000.0)), asyncio.Event().wait)  # type: ignore[arg-type]
        assert not made.lives()


async def test_a_run_that_has_ended_gets_no_hook() -> None:
    asked: list[str] = []
    with ran(1, "true") as (made, process):
        process.wait(LIMIT_S)

        async def hook() -> None:
            asked.append("hook")

        await stop(made, HOOK, hook)
    assert not asked


def test_a_signal_is_sent_to_a_process_that_is_there() -> None:
    with ran() as (made, process):
        assert stop_signal.send(made, container())
        assert process.wait(LIMIT_S) == -signal.SIGTERM
        assert not stop_signal.send(made, container())
    with ran() as (made, process):
        made.started_at = None
        assert not stop_signal.send(made, container()), "its first process is runc's yet"
        assert process.poll() is None
        made.close()
        made.close()
