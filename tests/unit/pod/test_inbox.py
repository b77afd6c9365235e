"""The inbox of one pod: events in, effects out, and nothing in between that blocks."""

from __future__ import annotations

import asyncio
import gc

from executor.log import get_logger
from executor.pod.inbox import Inbox
from executor.pod.life.effects import CollectOutput, Destroy, Effect, Report, SetUp, Start, TearDown
from executor.pod.life.events import ContainerExited, ContainerStarted, Dead, OutputCollected, SandboxReady, TornDown
from executor.pod.life.model import State
from executor.spec.model import RestartPolicy
from tests.unit.pod.lives import KILL, REVOKE, spec

log = get_logger(__name__)


class Pod:
    """Answers effects as the node would, at once; remembers them."""

    def __init__(self, policy: RestartPolicy = RestartPolicy.NEVER, deadline_s: float | None = None) -> None:
        self.effects: list[Effect] = []
        self.released = 0
        self.inbox = Inbox(spec(policy=policy, deadline_s=deadline_s), log, {}, self._after_hold)
        self.exits = True

    async def _after_hold(self) -> None:
        self.released += 1

    def perform(self, effect: Effect) -> None:
        self.effects.append(effect)
        match effect:
            case SetUp():
                self.inbox.post(SandboxReady())
            case Start():
                self.inbox.post(ContainerStarted("app", effect.run, 7))
                if self.exits:
                    self.inbox.post(ContainerExited("app", effect.run, 0))
            case CollectOutput():
                self.inbox.post(OutputCollected("app", effect.run))
            case Destroy():
                self.inbox.post(Dead())
            case TearDown():
                self.inbox.post(TornDown())
            case _:
                pass

    async def run(self) -> None:
        async with asyncio.timeout(10):
            await self.inbox.run(self.perform)

    def kinds(self) -> list[type[Effect]]:
        return [type(each) for each in self.effects]


async def test_a_pod_from_its_launch_to_its_end() -> None:
    pod = Pod()
    await pod.run()
    assert pod.inbox.pod.state is State.ENDED
    assert pod.kinds() == [Report, SetUp, Start, Report, CollectOutput, Destroy, Report, TearDown]


async def test_a_timer_of_the_life_cycle_is_the_inboxs_own() -> None:
    pod = Pod(deadline_s=0.05)
    pod.exits = False
    running = asyncio.create_task(pod.run())
    while pod.inbox.pod.state is not State.STOPPING:  # noqa: ASYNC110 it is what the test waits for
        await asyncio.sleep(0.01)
    pod.inbox.post(ContainerExited("app", 1, 143))
    await running
    assert pod.inbox.pod.outcome is not None
    assert pod.inbox.pod.outcome.reason == "REASON_MAX_COMPLETION_TIME_REACHED"


async def test_an_event_that_does_not_belong_changes_nothing() -> None:
    pod = Pod()
    pod.inbox.post(TornDown())
    await pod.run()
    assert pod.inbox.pod.state is State.ENDED


async def test_a_pod_that_is_killed_with_others_waits_for_the_result_once() -> None:
    pod, killed = Pod(), asyncio.Event()
    pod.exits = False
    running = asyncio.create_task(pod.run())
    while pod.inbox.pod.state is not State.RUNNING:  # noqa: ASYNC110 it is what the test waits for
        await asyncio.sleep(0)
    pod.inbox.hold(killed)
    assert pod.inbox.is_ending
    pod.inbox.post(REVOKE)
    await asyncio.sleep(0.02)
    assert pod.inbox.pod.state is State.RUNNING, "its victims need the CPU"
    killed.set()
    await running
    assert pod.released == 1


async def test_a_stop_is_heard_while_a_set_up_is_under_way() -> None:
    pod = Pod()
    setting_up = asyncio.Event()

    def perform(effect: Effect) -> None:
        if isinstance(effect, SetUp):
            setting_up.set()
        else:
            pod.perform(effect)

    running = asyncio.create_task(pod.inbox.run(perform))
    await setting_up.wait()
    pod.inbox.post(KILL)
    async with asyncio.timeout(10):
        await running
    assert pod.inbox.pod.outcome is not None
    assert pod.inbox.pod.outcome.reason == "REASON_TASK_KILLED_DURING_LAUNCH"


async def test_a_timer_that_was_due_is_forgotten() -> None:
    """A container that is restarted again and again has one for each restart."""
    pod = Pod(deadline_s=0.02)
    pod.exits = False
    running = asyncio.create_task(pod.run())
    while pod.inbox.pod.state is not State.STOPPING:  # noqa: ASYNC110 it is what the test waits for
        await asyncio.sleep(0.01)
    gc.collect()
    now_s = asyncio.get_running_loop().time()
    timers = [each for each in gc.get_objects() if isinstance(each, asyncio.TimerHandle) and not each.cancelled()]
    assert [each for each in timers if each.when() > now_s], "the end of its grace"
    assert not [each for each in timers if each.when() <= now_s]
    pod.inbox.post(ContainerExited("app", 1, 143))
    await running
