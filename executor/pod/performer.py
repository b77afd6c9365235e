"""Does what the life cycle of one pod decides (life/effects.py) with the node's adapters: one branch for each effect.

    SetUp, Abort                   sandbox.py, container/creation.py
    Start, Terminate, Kill         container/containers.py
    StartProbes, StopProbes        container/watching.py
    CollectOutput                  container/termination.py, and the log writer
    Destroy                        container/destroying.py
    TearDown                       release/teardown.py

Each can be repeated. Every effect runs as a task of its own and ends by posting an event. The one `except Exception` of
a pod stands here: a defect becomes this pod's failure, and no other pod notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from executor import exhausted
from executor.concurrency import together
from executor.errors import ContainerdFailure, ExecutorError, Failure, TimedOut
from executor.names import PodClass
from executor.pod.container import destroying, termination
from executor.pod.container.placement import made_late, needs_address
from executor.pod.container.watching import Watching
from executor.pod.life.effects import (
    Abort,
    CollectOutput,
    Destroy,
    Effect,
    Kill,
    SetUp,
    Start,
    StartProbes,
    StopProbes,
    TearDown,
    Terminate,
)
from executor.pod.life.events import (
    ContainerStarted,
    Dead,
    Event,
    NetworkReleased,
    OutputCollected,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    Stuck,
    TornDown,
)
from executor.pod.release import teardown
from executor.pod.release.pace import held
from executor.pod.resources.cpu_boost import LATE_S, SOON_S

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.pod.container.containers import Containers
    from executor.pod.exits.evidence import Evidence
    from executor.pod.node import Node
    from executor.pod.sandbox import Sandbox
    from executor.spec.model import PodSpec

LAUNCHING_S = 10.0
"""How long the set-up of a regular pod keeps others waiting. It takes 0.1 s; what takes this long hangs somewhere. A
revocable one may be short of CPU, and more of them at a time would make each take longer.
"""


class Performer:
    """`post` takes the events. `phases_ms` gets how long each phase of the launch took, for the log and the metrics."""

    def __init__(
        self,
        node: Node,
        spec: PodSpec,
        sandbox: Sandbox,
        containers: Containers,
        evidence: Evidence,
        post: Callable[[Event], None],
        log: Logger,
        phases_ms: dict[str, float],
    ) -> None:
        self._node, self._spec = node, spec
        self._sandbox, self._containers = sandbox, containers
        self._evidence, self._post = evidence, post
        self._watching = Watching(node.probing, spec, containers.reach, post, log)
        self._log, self._phases_ms = log, phases_ms
        self.dead = asyncio.Event()
        """Set once no process of the pod is left and none can come."""
        self.tear_down = teardown.TearDown(
            containers,
            sandbox,
            node.release_pace,
            partial(self._shims_boosted, LATE_S),
            lambda: post(NetworkReleased()),
            log,
        )
        self._begun_s = time.monotonic()
        self._set_up: asyncio.Task[None] | None = None
        self._starts, self._work = set[asyncio.Task[None]](), set[asyncio.Task[None]]()

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """The set-up and the starts after which a process may come."""
        return [task for task in (self._set_up, *self._starts) if task is not None and not task.done()]

    def close(self) -> None:
        """The executor, or the pod, has ended."""
        for task in self._work:
            task.cancel()
        self._evidence.close()
        self._watching.close()

    def perform(self, effect: Effect) -> None:
        """Begin an effect; After and Report are the inbox's and the runner's."""
        match effect:
            case SetUp():
                self._set_up = self._spawn(self._do_set_up(), SetUpFailed)
            case Abort() if self._set_up is not None:
                self._set_up.cancel()
            case Destroy():
                self._spawn(self._destroy(effect), None)
            case TearDown():
                self._spawn(self._tear_down(effect), lambda error: TornDown((str(error),)))
            case _:
                self._perform_of_container(effect)

    def _perform_of_container(self, effect: Effect) -> None:
        match effect:
            case Start():
                self._start(effect)
            case StartProbes():
                self._watching.start(effect.container, effect.run)
            case StopProbes():
                self._watching.stop(effect.container)
            case Terminate():
                self._spawn(self._containers.terminate(effect.container, effect.run), None)
            case Kill():
                self._spawn(self._containers.kill(effect.container, effect.run), None)
            case CollectOutput():
                self._spawn(self._collect_output(effect), None)

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
            failure = exhausted.of_pod(self._log, error)
        else:
            return
        if failed is not None:
            self._post(failed(failure))

    # --- launch ----------------------------------------------------------------------------------------------

    async def _do_set_up(self) -> None:
        await self._timed("images", self._containers.images.pull())
        if any(container.uris for container in self._spec.containers):
            await self._timed("fetch", self._sandbox.tasks.fetch())
        self._begun_s = time.monotonic()
        place = self._node.launching[self._spec.pod_class]
        async with held(place, LAUNCHING_S) if self._spec.pod_class is PodClass.REGULAR else place:
            self._phases_ms["queued"] = _ms_since(self._begun_s)
            limit_s = self._node.config.pods.start_timeout_s
            try:
                async with asyncio.timeout(limit_s):
                    with self._launching():
                        await self._make()
            except TimeoutError as error:
                raise TimedOut(
                    f"its set-up took longer than {limit_s:g} s",
                    subject=f"pod {self._spec.name}",
                    hint="[pods] start_timeout_s",
                ) from error
        self._post(SandboxReady(self._sandbox.ips))

    async def _make(self) -> None:
        """containerd's part of a container begins beside the sandbox, and its task beside the network."""
        late = made_late(self._spec)
        names = [container.name for container in self._spec.containers if container.name not in late]
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await together(self._timed("containers", self._create(names, ready)), self._make_sandbox(ready))

    async def _make_sandbox(self, ready: asyncio.Future[None]) -> None:
        """`ready` is set once there is all that a container's document names."""
        try:
            await self._timed("sandbox", self._sandbox.prepare())
            if not needs_address(self._spec):
                ready.set_result(None)
            await self._timed("network", self._sandbox.connect())
            if not ready.done():
                ready.set_result(None)
        finally:
            ready.cancel()

    async def _create(self, names: list[str], ready: asyncio.Future[None]) -> None:
        await together(*(self._containers.create(name, sandbox=ready) for name in names))

    async def _timed(self, phase: str, work: Coroutine[Any, Any, None]) -> None:
        begun_s = time.monotonic()
        await work
        self._phases_ms[phase] = _ms_since(begun_s)

    # --- containers ------------------------------------------------------------------------------------------

    def _start(self, effect: Start) -> None:
        task = self._spawn(self._do_start(effect), lambda error: StartFailed(effect.container, effect.run, error))
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)

    async def _do_start(self, effect: Start) -> None:
        name = effect.container
        with self._launching():
            if effect.fresh:
                await self._containers.renew(name, effect.run)
                self._evidence.begin(name)
            elif self._containers.run_of(name) is None and name in made_late(self._spec):
                await self._containers.create(name)
            begun_s = time.monotonic()
            try:
                current = await self._containers.start(name)
            except ContainerdFailure as error:
                raise self._evidence.of_failed_start(name, error) from error
            self._phases_ms["start"] = _ms_since(begun_s)
        self._post(ContainerStarted(name, effect.run, current.pid))
        if (exited := self._evidence.early(name)) is not None:
            self._post(exited)

    async def _collect_output(self, effect: CollectOutput) -> None:
        await asyncio.sleep(effect.after_s)
        await self._containers.written([effect.container])
        spec = next(each for each in self._spec.containers if each.name == effect.container)
        message = await termination.message(self._sandbox.files, spec, effect.exit_code)
        self._post(OutputCollected(effect.container, effect.run, message))

    # --- the end ---------------------------------------------------------------------------------------------

    async def _destroy(self, effect: Destroy) -> None:
        """Kill, and go on killing, until no start is under way and nothing lives in the pod's cgroup."""
        with self._shims_boosted(SOON_S) if self.under_way else contextlib.nullcontext():
            await destroying.until_dead(
                self._sandbox.cgroup,
                lambda: self.under_way,
                self._containers.end,
                lambda pids: self._post(Stuck(pids)),
                self._containers.end_starts,
                stuck_after_s=self._node.config.revocation.stuck_after_s,
                log=self._log,
            )
        self.dead.set()
        if effect.collect_output:
            await self._containers.written()
        self._post(Dead())

    @contextmanager
    def _launching(self) -> Iterator[None]:
        """The pod that is launched in the block does not wait for revocable pods that work."""
        with self._shims_boosted(0.0), self._sandbox.starting():
            yield

    def _shims_boosted(self, delay_s: float) -> AbstractContextManager[None]:
        """CPU for them in the block, from `delay_s` on. A regular pod's shims are not in that group."""
        revocable = self._spec.pod_class is PodClass.REVOCABLE
        return self._node.shims_boost.after(delay_s) if revocable else contextlib.nullcontext()

    async def _tear_down(self, effect: TearDown) -> None:
        begun_s = time.monotonic()
        leaked = await self.tear_down.run(gently=effect.gently, over_disk=effect.over_disk)
        self._phases_ms["tear_down"] = _ms_since(begun_s)
        self._post(TornDown(leaked))


def _ms_since(begun_s: float) -> float:
    return round((time.monotonic() - begun_s) * 1e3, 1)
