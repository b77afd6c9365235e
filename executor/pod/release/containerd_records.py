"""The release of what containerd holds of one pod's containers: every task, then the shim, then records and snapshots.

Invariants. No record goes before its task and its shim: a reaper finds them by the record. containerd's NotFound about
a task is no proof, so the node itself is asked (node_traces.py). What is not proven to be gone is a leak. Every call
is bounded in time, containers are released in parallel, and every step can be repeated.

A shim that does not answer is ended with SIGKILL when no process of its containers is left: containerd then removes
the task, the mount and the bundle by itself. That it is ours is proven by its pid and start time, which were taken
from a container's first process, or by its command line with containerd's namespace and a container's id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor.errors import ContainerdFailure, ContainerdUnavailable, ExecutorError
from executor.log import get_logger
from executor.node import runtime_state
from executor.pod.release.leaks import Leak
from executor.pod.release.node_traces import traces

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from executor.containerd import Containerd
    from executor.containerd.types import LeaseId
    from executor.names import ContainerId
    from executor.node.shim_processes import Shim

log = get_logger(__name__)

_LOOK_S = 0.02
PAUSE_MAX_S = 2.0


@dataclass(frozen=True)
class Patience:
    """Bounds of one release, in seconds."""

    restart_s: float = 30.0
    """For a containerd that restarts, and for a task that does not go."""
    call_s: float = 6.0
    """For a task to be deleted, which its shim answers. To give it up costs what was done of it."""
    answer_s: float = 1.0
    """For containerd itself to answer. One that takes longer is the cause of the silence, and no shim is blamed."""
    shim_s: float = 9.0
    """After this time without an answer about its tasks, and without any use of CPU, a shim is hung."""
    end_s: float = 5.0
    """For a shim to end after its last task was deleted, or after SIGKILL."""
    pause_s: float = 0.3
    """Between two tries."""


@dataclass(frozen=True)
class Subject:
    """One container. `snapshots` and `leases` are the keys and ids that were made for it."""

    id: ContainerId
    snapshots: tuple[str, ...] = ()
    leases: tuple[LeaseId, ...] = ()


class Release:
    """The release of containers that one shim serves. `shims` names the processes that serve them, none where another
    container needs them still; `processes` gives the pids in a container's cgroup. `pause` sleeps between two tries.
    """

    def __init__(
        self,
        containerd: Containerd,
        subjects: Sequence[Subject],
        *,
        shims: Callable[[], Collection[Shim]],
        processes: Callable[[ContainerId], Collection[int]],
        patience: Patience,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._containerd = containerd
        self._subjects = subjects
        self._shims = shims
        self._processes = processes
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._pause = pause
        self._silent_since: float | None = None
        self._used: dict[Shim, int] = {}
        """CPU that the shims had used when the silence began: one that is only short of CPU goes on using some."""

    async def run(self) -> list[Leak]:
        """What could not be released. Raises nothing that belongs to the node; cancelled, it leaves the handles."""
        tasks = await asyncio.gather(*(self._end_task(subject.id) for subject in self._subjects))
        leaks = [leak for leak in tasks if leak is not None] or await self._end_shims()
        if leaks:
            return leaks
        parts = await asyncio.gather(*(self._forget(subject) for subject in self._subjects))
        return [leak for part in parts for leak in part]

    async def _end_task(self, identity: ContainerId) -> Leak | None:
        """Delete it until nothing of it is left."""
        deadline = self._loop.time() + self._patience.restart_s
        pauses = self._pauses()
        while True:
            asked_at = self._loop.time()
            try:
                await self._delete_task(identity)
                why = await self._left(identity)
                if not why:
                    return None
                why = f"containerd has no task, but the node has {why}"
            except ContainerdUnavailable as error:
                why = str(error)
                await self._end_silent_shims(identity, asked_at)
            except (ExecutorError, OSError) as error:
                why = str(error)
            if self._loop.time() > deadline:
                return Leak("task", identity, why)
            await self._pause(next(pauses))

    async def _left(self, identity: ContainerId) -> str:
        """What the node has of a container that containerd does not know, in words. What a killed runc left is
        removed here, for containerd does not.
        """
        processes, namespace = self._processes(identity), self._containerd.namespace
        why = traces(namespace, identity, processes)
        if why and not processes:
            await asyncio.to_thread(runtime_state.remove_abandoned, namespace, identity)
            why = traces(namespace, identity, processes)
        return why

    def _pauses(self) -> Iterator[float]:
        """They grow, for many may wait for the same containerd."""
        pause_s = self._patience.pause_s
        while True:
            yield pause_s
            pause_s = min(2 * pause_s, max(PAUSE_MAX_S, self._patience.pause_s))

    async def _delete_task(self, identity: ContainerId) -> None:
        """A task can be deleted once its shim saw the process end, which comes shortly after the end itself. Raises
        ContainerdFailure.
        """
        limit_s = self._patience.call_s
        try:
            async with asyncio.timeout(limit_s):
                await self._containerd.tasks.remove(identity)
        except TimeoutError as error:
            raise ContainerdUnavailable(f"not deleted within {limit_s:g} s", subject=f"task {identity}") from error
        self._silent_since = None

    async def _end_silent_shims(self, identity: ContainerId, asked_at: float) -> None:
        """SIGKILL to the shims that have left containerd without an answer for long, while containerd itself answers.
        `asked_at` is when the last question was put.
        """
        if not await self._answers():
            self._silent_since = None
            return
        if self._silent_since is None:
            self._silent_since = asked_at
            self._used = {shim: shim.cpu_ticks() for shim in self._shims()}
        if self._loop.time() - self._silent_since < self._patience.shim_s or self._living():
            return
        for shim in [shim for shim in self._shims() if self._used.get(shim) == shim.cpu_ticks()]:
            log.warning("a shim does not answer", code="pod.shim_killed", container=identity, pid=shim.pid)
            shim.kill()
        self._silent_since = None

    def _living(self) -> bool:
        """Whether a process of any of the containers is left."""
        return any(self._processes(subject.id) for subject in self._subjects)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._patience.answer_s):
                await self._containerd.version()
        except (ContainerdFailure, TimeoutError):
            return False
        return True

    async def _end_shims(self) -> list[Leak]:
        """Those that live on without a task."""
        left = await self._ended(self._shims())
        for shim in left:
            shim.kill()
        left = await self._ended(left)
        return [Leak("shim", str(shim.pid), "lives on after its last task, in spite of SIGKILL") for shim in left]

    async def _ended(self, shims: Collection[Shim]) -> Collection[Shim]:
        """Those that live after `end_s`."""
        deadline = self._loop.time() + self._patience.end_s
        while (shims := [shim for shim in shims if shim.lives()]) and self._loop.time() < deadline:  # noqa: ASYNC110 nothing announces it
            await asyncio.sleep(_LOOK_S)
        return shims

    async def _forget(self, subject: Subject) -> list[Leak]:
        """Record, snapshots and leases, each only after what refers to it."""
        ctrd = self._containerd
        steps: list[tuple[str, str, Callable[[], Awaitable[None]]]] = [
            ("container", subject.id, lambda: ctrd.containers.delete(subject.id)),
            *(("snapshot", key, lambda key=key: ctrd.snapshots.remove(key)) for key in subject.snapshots),
            *(("lease", lease, lambda lease=lease: ctrd.leases.delete(lease)) for lease in subject.leases),
        ]
        for what, where, step in steps:
            if why := await self._done(step):
                return [Leak(what, where, why)]
        return []

    async def _done(self, step: Callable[[], Awaitable[None]]) -> str:
        """Why not; empty once it is."""
        deadline = self._loop.time() + self._patience.restart_s
        pauses = self._pauses()
        while True:
            try:
                async with asyncio.timeout(self._patience.call_s):
                    await step()
                return ""
            except (ContainerdUnavailable, TimeoutError) as error:
                if self._loop.time() > deadline:
                    return str(error) or "containerd did not answer in time"
            except ExecutorError as error:
                return str(error)
            await self._pause(next(pauses))
