"""One pod: its inbox, what its effects work on, and what the rest of the executor may ask of it.

events ─▶ inbox ─▶ lifecycle.step ─▶ effects ─▶ adapters ─▶ events
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.log import get_logger
from executor.pod.container.containers import Containers
from executor.pod.exits.evidence import Evidence
from executor.pod.inbox import Inbox
from executor.pod.life.effects import Effect, Report
from executor.pod.life.events import Event, GraceOver, Stop
from executor.pod.life.model import Pod, State
from executor.pod.performer import Performer
from executor.pod.sandbox import Sandbox

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.names import PodId
    from executor.own_directory import OwnDirectory
    from executor.pod.node import Node
    from executor.pod.release.teardown import TearDown
    from executor.spec.model import PodSpec

_DEAD = (State.TEARING_DOWN, State.ENDED)


class PodRunner:
    """`report` takes the reports for Mesos."""

    def __init__(self, node: Node, pod: PodId, spec: PodSpec, report: Callable[[PodRunner, Report], None]) -> None:
        self.id = pod
        self.spec = spec
        self.log = get_logger(__name__).bind(
            pod=pod, task=spec.task_ids[0], **{"class": spec.pod_class, "role": spec.role}
        )
        self.phases_ms: dict[str, float] = {}
        """How long each phase of the launch took, for the log and the metrics."""
        self.started_at = time.time()
        self.ended_at: float | None = None
        self.used_bytes = 0
        """Memory in use when it was last measured, before a revocation's kill: what the pod's end gives back."""
        self.sandbox = Sandbox(node, pod, spec)
        self.containers = Containers(node, pod, spec, self.sandbox)
        self._report = report
        self._inbox = Inbox(spec, self.log, self.phases_ms, node.release_pace.pause_between_pods)
        self._evidence = Evidence(node.tree, pod, spec, self.containers.run_of, self.log)
        self._performer = Performer(
            node, spec, self.sandbox, self.containers, self._evidence, self.post, self.log, self.phases_ms
        )

    # --- its life --------------------------------------------------------------------------------------------

    @property
    def pod(self) -> Pod:
        """As its life cycle knows it now."""
        return self._inbox.pod

    @property
    def age_s(self) -> float:
        """Since the launch came."""
        return self._inbox.age_s

    @property
    def tear_down(self) -> TearDown:
        """The release of all that the pod holds."""
        return self._performer.tear_down

    def post(self, event: Event) -> None:
        """Put an event into the inbox."""
        self._inbox.post(event)

    async def run(self) -> None:
        """From Launch to ENDED. Only the executor's own end cancels it."""
        try:
            await self._inbox.run(self._perform)
        finally:
            self.ended_at = time.time()
            self._performer.close()

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Report):
            self._report(self, effect)
        else:
            self._performer.perform(effect)

    def exited(self, container: str, exit_code: int, pid: int) -> None:
        """The first process `pid` of a run of `container` has ended."""
        event = self._evidence.read(container, exit_code, pid, pod_ends=self._inbox.is_ending)
        if event is not None:
            self.post(event)

    def short_of_memory(self, container: str) -> None:
        """containerd reports that a memory limit was met, of this container or of a group above it."""
        self._evidence.short_of_memory(container)

    def resized(self, spec: PodSpec) -> None:
        """Other amounts of cpu and memory are in force; a later start of a container has them, too."""
        self.spec = spec
        self.containers.resized(spec)

    # --- for a revocation (executor.revocation.pod) ----------------------------------------------------------

    @property
    def cgroup(self) -> Cgroup:
        """The pod's own, whose children are those of its containers."""
        return self.sandbox.cgroup

    @property
    def files(self) -> OwnDirectory:
        """Its directory in the Mesos sandbox."""
        return self.sandbox.files

    @property
    def dead(self) -> asyncio.Event:
        """Set once no process of the pod is left and none can come."""
        return self._performer.dead

    @property
    def launching(self) -> bool:
        """Whether a set-up or a start is under way or to come."""
        return self.pod.state is State.NEW or bool(self._performer.under_way)

    @property
    def is_over(self) -> bool:
        """Whether its life cycle knows that it is dead."""
        return self.pod.state in _DEAD

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self.pod.stop is not None

    @property
    def ended_by_itself(self) -> bool:
        """Whether every container had ended before the pod's cgroup was killed."""
        return self.pod.exited

    @property
    def ended_pids(self) -> frozenset[int]:
        """First processes of containers whose end needs no other explanation than their own."""
        return frozenset(self.pod.ended_pids)

    def first_pids(self) -> list[int]:
        """The first process of each container that runs, as far as the life cycle knows."""
        return [each.pid for each in self.pod.containers.values() if each.pid is not None]

    def started_pids(self) -> list[int]:
        """The same, from the moment of the start on."""
        return self.containers.pids()

    def keeper_pid(self) -> int | None:
        """The first process of the PID namespace that its containers share; None: they share none."""
        return None if self.sandbox.pids is None else self.sandbox.pids.keeper_pid

    def living_first_pids(self) -> list[int]:
        """First processes that have not ended, in whichever cgroup they are."""
        return self.containers.living_first_pids()

    def is_in_last_moments(self) -> bool:
        """Whether a first process has left its cgroup and has not ended yet."""
        return bool(self.containers.ending())

    def measure(self) -> int:
        """Bytes of memory in use now; 0 for a pod without a cgroup."""
        with contextlib.suppress(CgroupError):
            self.used_bytes = self.cgroup.memory_bytes() or 0
        return self.used_bytes

    def stop(self, stop: Stop) -> None:
        """Have the life cycle end the pod, within the grace."""
        self.post(stop)

    def kill(self, stop: Stop, killed: asyncio.Event | None) -> None:
        """Have the life cycle end the pod now. With `killed` it first waits, HOLD_S at most, until that is set."""
        if killed is not None:
            self._inbox.hold(killed)
        self.post(stop)
        self.post(GraceOver())

    async def kill_by_containerd(self) -> None:
        """SIGKILL through containerd. Its failures are logged."""
        await self.containers.kill_all()
