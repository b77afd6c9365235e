"""One pod's inbox: takes events one at a time, asks the life cycle, and carries the effects out with the node's
adapters.

Every effect runs as a task of its own and ends by posting an event, so that the inbox is never blocked and a Stop is
always heard. The one `except Exception` of a pod stands here: a defect becomes this pod's failure, and no other pod
notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError
from executor import exhausted
from executor.concurrency import together
from executor.errors import ExecutorError, Failure, TimedOut
from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.pod import destroying, lifecycle
from executor.pod.containers import Containers
from executor.pod.exits.container_exits import ContainerExits
from executor.pod.model import (
    Abort,
    After,
    ContainerStarted,
    Dead,
    Destroy,
    Effect,
    Event,
    Launch,
    NetworkReleased,
    Report,
    SandboxReady,
    SetUp,
    SetUpFailed,
    Start,
    StartFailed,
    State,
    Stuck,
    TearDown,
    Terminate,
    TornDown,
)
from executor.pod.placement import needs_address, runtime_spec
from executor.pod.pod_events import note_container, note_state
from executor.pod.release import teardown
from executor.pod.release.pace import held
from executor.pod.resources.cpu_boost import LATE_S, SOON_S
from executor.pod.sandbox import Sandbox

if TYPE_CHECKING:
    from executor.pod.node import Node
    from executor.spec.model import PodSpec

LAUNCHING_S = 10.0
"""How long the set-up of a regular pod keeps others waiting. It takes 0.1 s; what takes this long hangs somewhere. A
revocable one may be short of CPU, and more of them at a time would make each take longer.
"""


class PodRunner:
    def __init__(self, node: Node, pod: PodId, spec: PodSpec, report: Callable[[PodRunner, Report], None]) -> None:
        self.id = pod
        self.pod, self._node = lifecycle.begin(spec), node
        self.sandbox = Sandbox(node, pod, spec)
        self.containers = Containers(
            node, pod, spec, self.sandbox.files, self._runtime_spec, lambda: self.sandbox.addresses
        )
        self.started_at = time.time()
        self.phases_ms: dict[str, float] = {}
        """How long each phase of the launch took, for the log and the metrics."""
        self.dead = asyncio.Event()
        """Set once no process of the pod is left and none can come."""
        self.kill_result: asyncio.Event | None = None
        """Set once a revocation knows how its kill of this pod went; the inbox waits, for the victims need the CPU."""
        self._has_waited = False
        self.used_bytes = 0
        """Memory in use when it was last measured, before a revocation's kill: what the pod's end gives back."""
        self._report = report
        self._inbox: asyncio.Queue[Event] = asyncio.Queue()
        self.post(Launch())  # here, so that no Stop can come before it
        self._set_up: asyncio.Task[None] | None = None
        self._starts, self._work = set[asyncio.Task[None]](), set[asyncio.Task[None]]()
        self._timers: set[asyncio.TimerHandle] = set()
        self._born = time.monotonic()
        self.log = get_logger(__name__).bind(
            pod=pod, task=spec.task_ids[0], **{"class": spec.pod_class, "role": spec.role}
        )
        self.container_exits = ContainerExits(self, node.tree)
        urgently = partial(self._shims_boosted, LATE_S)
        self.tear_down = teardown.TearDown(
            self.containers, self.sandbox, node.release_pace, urgently, self._network_released, self.log
        )

    @property
    def age_s(self) -> float:
        """Since the launch came; the node's clock may be set meanwhile."""
        return time.monotonic() - self._born

    @property
    def launching(self) -> bool:
        """Whether a set-up or a start is under way or to come, so that a process may still come."""
        return self.pod.state is State.NEW or bool(self._under_way())

    def _under_way(self) -> list[asyncio.Task[None]]:
        return [task for task in (self._set_up, *self._starts) if task is not None and not task.done()]

    @property
    def spec(self) -> PodSpec:
        return self.pod.spec

    def measure(self) -> int:
        """Bytes of memory in use now; 0 for a pod without a cgroup."""
        with contextlib.suppress(CgroupError):
            self.used_bytes = self.sandbox.cgroup.memory_bytes() or 0
        return self.used_bytes

    def post(self, event: Event) -> None:
        self._inbox.put_nowait(event)

    async def run(self) -> None:
        """From Launch to ENDED. Only the executor's own end cancels it."""
        try:
            while self.pod.state is not State.ENDED:
                event = await self._inbox.get()
                await self._wait_for_kill_result()
                self._take(event)
        finally:
            for timer in self._timers:
                timer.cancel()
            for task in self._work:
                task.cancel()
            self.container_exits.close()

    async def _wait_for_kill_result(self) -> None:
        if self.kill_result is not None and not self._has_waited:
            await destroying.wait_for_kill_result(self.kill_result)
            await self._node.release_pace.pause_between_pods()
            self._has_waited = True

    def _take(self, event: Event) -> None:
        before = self.pod.state
        note_container(self.log, event)
        try:
            self.pod, effects = lifecycle.step(self.pod, event)
        except lifecycle.IllegalTransition as error:
            self.log.error("illegal transition", code="pod.illegal_transition", error=str(error))
            return
        if self.pod.state is not before:
            note_state(self.log, self.pod, self.age_s, self.phases_ms)
        for effect in effects:
            self._carry_out(effect)

    # --- effects ---------------------------------------------------------------------------------------------

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Report():
                self._report(self, effect)
            case SetUp():
                self._set_up = self._spawn(self._do_set_up(), SetUpFailed)
            case Start():
                self._start(effect)
            case After():
                self._after(effect)
            case Abort() if self._set_up is not None:
                self._set_up.cancel()
            case Terminate():
                self._spawn(self.containers.terminate(effect.containers), None)
            case Destroy():
                self._spawn(self._do_destroy(), None)
            case TearDown():
                self._spawn(self._do_tear_down(), lambda error: TornDown((str(error),)))

    def _spawn(
        self, work: Coroutine[Any, Any, None], failed: Callable[[ExecutorError], Event] | None
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(self._guard(work, failed))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _guard(self, work: Coroutine[Any, Any, None], failed: Callable[[ExecutorError], Event] | None) -> None:
        try:
            await work
        except ExecutorError as error:
            failure: ExecutorError = error
        except asyncio.CancelledError:
            failure = Failure("was given up because the pod ends")
        except Exception as error:  # noqa: BLE001 - the boundary of a pod: what fails in it harms no other
            failure = exhausted.of_pod(self.log, error)
        else:
            return
        if failed is not None:
            self.post(failed(failure))

    def _after(self, effect: After) -> None:
        if effect.delay_s <= 0:
            self.post(effect.event)
            return
        self._timers.add(asyncio.get_running_loop().call_later(effect.delay_s, self.post, effect.event))

    async def _do_set_up(self) -> None:
        place = self._node.launching[self.spec.pod_class]
        async with held(place, LAUNCHING_S) if self.spec.pod_class is PodClass.REGULAR else place:
            self.phases_ms["queued"] = round(self.age_s * 1e3, 1)
            limit_s = self._node.config.pods.start_timeout_s
            try:
                async with asyncio.timeout(limit_s):
                    await self._make()
            except TimeoutError as error:
                raise TimedOut(
                    f"its set-up took longer than {limit_s:g} s",
                    subject=f"pod {self.id}",
                    hint="[pods] start_timeout_s",
                ) from error
        self.post(SandboxReady(self.sandbox.ips))

    async def _make(self) -> None:
        await self._timed("sandbox", self.sandbox.prepare())
        names = [container.name for container in self.spec.containers]
        if needs_address(self.spec):
            await self._timed("network", self.sandbox.connect())
            await self._timed("containers", self._create(names))
        else:
            network = self._timed("network", self.sandbox.connect())
            await together(network, self._timed("containers", self._create(names)))

    async def _create(self, names: list[str]) -> None:
        await together(*(self.containers.create(name) for name in names))

    async def _timed(self, phase: str, work: Coroutine[Any, Any, None]) -> None:
        begin = time.monotonic()
        await work
        self.phases_ms[phase] = round((time.monotonic() - begin) * 1e3, 1)

    def _runtime_spec(self, container: Any, image: Any, user: Any) -> dict[str, object]:
        self.sandbox.check_files()
        return runtime_spec(self._node, self.id, self.sandbox, self.spec, container, image, user)

    def _start(self, effect: Start) -> None:
        for name in effect.containers:
            work = self._do_start(name, fresh=effect.fresh)
            task = self._spawn(work, lambda error, name=name: StartFailed(name, error))  # type: ignore[misc]
            self._starts.add(task)
            task.add_done_callback(self._starts.discard)

    async def _do_start(self, name: str, *, fresh: bool) -> None:
        if fresh:
            await self.containers.renew(name)
            self.container_exits.begin(name)
        begin = time.monotonic()
        pid = await self.containers.start(name)
        self.phases_ms["start"] = round((time.monotonic() - begin) * 1e3, 1)
        self.post(ContainerStarted(name, pid))

    def exited(self, container: str, exit_code: int, pid: int | None) -> None:
        """containerd saw the first process of `container` end."""
        self.container_exits.exited(container, exit_code, pid)

    async def _do_destroy(self) -> None:
        """Kill, and go on killing, until no start is under way and nothing lives in the pod's cgroup."""
        with self._shims_boosted(SOON_S) if self.launching else contextlib.nullcontext():
            await destroying.until_dead(
                self.sandbox.cgroup,
                self._under_way,
                self.containers.end,
                lambda pids: self.post(Stuck(pids)),
                stuck_after_s=self._node.config.revocation.stuck_after_s,
                log=self.log,
            )
        self.dead.set()
        await self.containers.written(self.pod.stop)
        self.post(Dead())

    def _shims_boosted(self, delay_s: float) -> AbstractContextManager[None]:
        """Urgency for them in the block, from `delay_s` on. A regular pod's shims are not in that group."""
        revocable = self.spec.pod_class is PodClass.REVOCABLE
        return self._node.shims_boost.after(delay_s) if revocable else contextlib.nullcontext()

    def _network_released(self) -> None:
        if self.pod.state is State.TEARING_DOWN:
            self.post(NetworkReleased())

    async def _do_tear_down(self) -> None:
        begin = time.monotonic()
        leaked = await self.tear_down.run(gently=self.pod.release_can_wait, over_disk=self.pod.over_disk)
        self.phases_ms["tear_down"] = round((time.monotonic() - begin) * 1e3, 1)
        self.post(TornDown(leaked))
