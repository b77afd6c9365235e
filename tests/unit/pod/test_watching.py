"""The postStart hooks and the probes of a run of a container, and what they put into the pod's inbox."""

from __future__ import annotations

import asyncio

from executor.errors import ContainerdFailure
from executor.exec.run import Result
from executor.log import get_logger
from executor.pod.container.container_run import ContainerRun
from executor.pod.container.watching import Watching
from executor.pod.life.events import Event, PostStartEnded, Probed
from executor.probes.ask import Means, Reach
from executor.spec.model import PodSpec
from executor.spec.probes import NO_HOOKS, NO_PROBES, Exec, Hooks, Kind, Probe, Probes
from tests.unit.pod.lives import spec
from tests.unit.pod.runs import ran

log = get_logger(__name__)
HOOK = Hooks(post_start=Exec(("warm-up",)))
READINESS = Probes(readiness=Probe(Exec(("ready",)), period_s=0.01))


class Watched:
    """One run of a container whose commands end as `exit_code` says; None: they cannot be run."""

    def __init__(self, current: ContainerRun, watched: PodSpec, exit_code: int | None = 0) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.exit_code = exit_code
        self.commands = 0
        self._run = current
        self.watching = Watching(Means(), watched, self._reach, self.events.put_nowait, log)

    def _reach(self, name: str, purpose: str) -> Reach:
        assert name == "app" and purpose in ("probe", "post-start")
        return Reach(list, lambda: -1, self._command, self._run.runs)

    async def _command(self, _: Exec, __: float | None) -> Result:
        self.commands += 1
        await asyncio.sleep(0.01)
        if self.exit_code is None:
            raise ContainerdFailure("no such program")
        return Result(self.exit_code, "")

    async def event(self) -> Event:
        async with asyncio.timeout(10):
            return await self.events.get()


async def test_a_hook_ends_in_an_event_of_its_run() -> None:
    with ran() as (current, _):
        watched = Watched(current, spec(hooks=HOOK))
        watched.watching.start("app", 3)
        assert await watched.event() == PostStartEnded("app", 3)
        watched.exit_code = 1
        watched.watching.start("app", 4)
        event = await watched.event()
        assert isinstance(event, PostStartEnded) and event.run == 4 and "status 1" in event.error


async def test_a_hook_that_fails_because_its_container_ended_decides_nothing() -> None:
    """The program is short: its exit code tells how the container ended."""
    for exit_code in (None, 137):
        with ran(1, "true") as (current, process):
            process.wait(10)
            watched = Watched(current, spec(hooks=HOOK), exit_code)
            watched.watching.start("app", 1)
            while not watched.commands:  # noqa: ASYNC110 it is what the test waits for
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            assert watched.events.empty()


async def test_what_is_stopped_sends_no_event_any_more() -> None:
    with ran() as (current, _):
        watched = Watched(current, spec(hooks=HOOK, probes=READINESS))
        watched.watching.start("app", 1)
        await asyncio.sleep(0)
        watched.watching.stop("app")
        await asyncio.sleep(0.05)
        assert watched.events.empty()


async def test_a_probe_posts_what_changes() -> None:
    with ran() as (current, _):
        watched = Watched(current, spec(hooks=NO_HOOKS, probes=READINESS))
        watched.watching.start("app", 2)
        event = await watched.event()
        assert (
            isinstance(event, Probed) and event.run == 2 and event.verdict.kind is Kind.READINESS and event.verdict.ok
        )
        assert watched.events.empty(), "nothing has changed since"
        watched.watching.close()


async def test_a_container_without_hooks_and_probes_is_not_asked() -> None:
    with ran() as (current, _):
        watched = Watched(current, spec(hooks=NO_HOOKS, probes=NO_PROBES))
        watched.watching.start("app", 1)
        await asyncio.sleep(0.05)
        assert not watched.commands and watched.events.empty()
