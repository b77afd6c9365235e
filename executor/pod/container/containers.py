"""The containers of one pod in containerd: made, started, signalled, removed. Owns their records and holds their first
processes.

A container is made (`create`) up to the point where runc waits to run its first instruction, so that starting it is
one short call. A restart is a new container record on a new snapshot under the same id. Removal is idempotent and
goes by the pod's label and lease, not by memory, so that it also removes what a cancelled creation left.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from cgroups.held import HeldProcess
from executor.concurrency import FirstAlone
from executor.containerd.types import Mount
from executor.errors import ContainerdFailure, ExecutorError, NotFound
from executor.exec.run import Target
from executor.images.model import NODE_ROOT
from executor.log import get_logger
from executor.names import ContainerId, PodId, container_id
from executor.oci import users
from executor.pod.container import creation, stop_signal, termination
from executor.pod.container.container_run import ContainerRun
from executor.pod.container.placement import spare_regular
from executor.pod.container.reach import reach
from executor.pod.container.record import Record
from executor.pod.exits import process_state
from executor.pod.images import PodImages
from executor.pod.node import Node, snapshot_key
from executor.pod.release.containerd_records import Patience
from executor.pod.release.containers import PodRelease
from executor.pod.resources import amounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from executor.containerd.types import LeaseId
    from executor.images.model import Image
    from executor.oci.users import UserIds
    from executor.pod.release.leaks import Leak
    from executor.pod.sandbox import Sandbox
    from executor.probes.ask import Reach
    from executor.spec.model import PodSpec

log = get_logger(__name__)

LEASE_S = 600.0
"""A lease that this process could not end is dropped by containerd after this time."""
KILL_S = 5.0
"""How long a kill through containerd may take: a shim that hangs must not hold up what comes after it."""
PATIENCE = Patience()
OUTPUT_S = 2.0
"""How long the end of a container waits until its output is in its log; a disk that hangs for longer gets none."""


class Containers:
    def __init__(self, node: Node, pod: PodId, spec: PodSpec, sandbox: Sandbox) -> None:
        self._node, self._pod = node, pod
        self._pod_class, self._sandbox = spec.pod_class, sandbox
        self.resized(spec)
        self._runs: dict[str, ContainerRun] = {}
        self._shim = FirstAlone(lambda: bool(self._living()))
        self._attempts = dict.fromkeys(self._spec, 0)
        self._incarnations = dict.fromkeys(self._spec, 1)
        groups = {self.id(name): node.tree.container(spec.pod_class, spec.role, pod, name) for name in self._spec}
        self.images = PodImages(node.images, spec, log.bind(pod=pod), patience_s=self._limit_s)
        self._release = PodRelease(node.containerd, pod, groups, PATIENCE)

    def resized(self, spec: PodSpec) -> None:
        """The same containers with other amounts."""
        self._pod_spec, self._spec = spec, {container.name: container for container in spec.containers}

    def id(self, name: str) -> ContainerId:
        """As containerd has it now."""
        return container_id(self._pod, name, self._incarnations[name])

    def name(self, container: ContainerId) -> str | None:
        """The name of the container with this id; None of an id that is not used any more."""
        return next((name for name in self._spec if self.id(name) == container), None)

    def run_of(self, name: str) -> ContainerRun | None:
        """The run of the container that is there now; None before it was made, and between two runs."""
        return self._runs.get(name)

    async def create(
        self, name: str, run: int = 1, limit_s: float | None = None, *, sandbox: asyncio.Future[None] | None = None
    ) -> None:
        """Image, snapshot, record and task. `sandbox` is done once the pod's is made; None: it is. Raises ImageFailure,
        ContainerdFailure.
        """
        begin, limit_s = time.monotonic(), self._limit_s if limit_s is None else limit_s
        image = await self.images.take(self._spec[name])
        self._release.creating(self.id(name))
        left_s = limit_s - (time.monotonic() - begin)
        make, undo = partial(self._make, name, run, image, sandbox), partial(self.remove, name)
        await creation.created(self.id(name), make, undo, partial(self._rename, name), limit_s=left_s)

    def _rename(self, name: str) -> None:
        """containerd cannot use the id again."""
        before = self.id(name)
        self._incarnations[name] += 1
        self._release.renamed(before, self.id(name))

    @property
    def _limit_s(self) -> float:
        """A little less than the limit of the pod's launch, so that the status says what took so long."""
        return 0.95 * self._node.config.pods.start_timeout_s

    async def _make(self, name: str, run: int, image: Image, sandbox: asyncio.Future[None] | None) -> None:
        """The lease ends beside the creation of the task: the record holds the snapshot by then."""
        self._attempts[name] += 1
        leases, snapshot = self._node.containerd.leases, snapshot_key(self.id(name), self._attempts[name])
        lease = await leases.create(snapshot, self._node.labels(self._pod), expire_s=LEASE_S)
        try:
            image, mounts = await self._prepare(name, image, snapshot, lease)
            user = await self._user(name, image, mounts)
            if sandbox is not None:
                await asyncio.wait({sandbox})
                sandbox.result()
            if self._attempts[name] > 1:
                termination.renew(self._sandbox.files, self._spec[name])
            pod_spec = self._pod_spec
            record = Record(self.id(name), self._spec[name], image, snapshot, user, mounts)
            process = await record.make(self._node, self._pod, self._sandbox, pod_spec)
        except BaseException:
            await leases.delete(lease)
            raise
        ending = asyncio.ensure_future(leases.delete(lease))
        try:
            async with self._shim.turn():
                pid = await record.make_task(self._node, self._pod, self._sandbox, pod_spec)
                leader = HeldProcess.open(pid)
                self._runs[name] = ContainerRun(record.id, run, snapshot, image, pid, leader, process)
        finally:
            await ending
        self._release.created(record.id, pid)
        spare_regular(self._node.tree, pod_spec, self._pod, name)
        await amounts.follow(self._node.tree, self._pod, name, pod_spec, lambda: self._pod_spec)

    async def _prepare(self, name: str, image: Image, snapshot: str, lease: LeaseId) -> tuple[Image, list[Mount]]:
        """The writable layer. An image that was removed since it was found is looked up again."""
        snapshots, labels = self._node.containerd.snapshots, self._node.labels(self._pod)
        try:
            return image, await snapshots.prepare(snapshot, image.chain_id, lease=lease, labels=labels)
        except NotFound:
            image = await self.images.take(self._spec[name])
            return image, await snapshots.prepare(snapshot, image.chain_id, lease=lease, labels=labels)

    async def _user(self, name: str, image: Image, mounts: list[Mount]) -> UserIds:
        user = users.wanted(self._spec[name].security, image.config.user)
        layers = [Mount("bind", NODE_ROOT, ())] if image.is_node else mounts
        return await self._node.users.ids(image, layers, user, subject=f"container {name}")

    async def start(self, name: str) -> ContainerRun:
        """The run, with its first process (by its pid in the host's pid namespace). Raises ContainerdFailure."""
        current = self._runs[name]
        current.started_at = begin_s = time.monotonic()

        async def make_again() -> ContainerId:
            """The end of what is undone is not an end of the run."""
            self._runs.pop(name).close()
            await self.renew(name, current.run, begin_s + self._limit_s - time.monotonic())
            self._runs[name].started_at = time.monotonic()
            return self.id(name)

        await creation.started(self._node.containerd.tasks, current.id, make_again, limit_s=self._limit_s)
        self._runs[name].start_known = True
        return self._runs[name]

    async def renew(self, name: str, run: int, limit_s: float | None = None) -> None:
        """Remove the container and make it again for this run. Where its end was reported because containerd had lost
        it, it may still live.
        """
        await self._release.clear(self.id(name))
        leaked = await self.remove(name)
        if leaked:
            message = f"could not be removed before its restart: {leaked[0]}"
            raise ContainerdFailure(message, subject=f"container {name}")
        await self.create(name, run, limit_s)

    async def terminate(self, name: str, run: int) -> None:
        """The preStop hook, and the stop signal after it, if this run is there."""
        current, spec, of_container = self._runs.get(name), self._spec[name], log.bind(pod=self._pod, container=name)
        if current is not None and current.run == run:
            reached = self.reach(name, "pre-stop")
            await stop_signal.send_after_hook(current, spec, reached, self._node.probing, of_container)

    def send(self, name: str, number: int) -> bool:
        """A signal to the first process of the container, if it runs; whether it does."""
        current = self._runs.get(name)
        return current is not None and current.leader is not None and current.lives() and current.leader.send(number)

    def reach(self, name: str, purpose: str) -> Reach:
        """The run of the container that is there now, and no later one."""
        current, target, node = self._runs.get(name), None, self._node
        if current is not None and current.started_at is not None:
            target = Target(
                node.containerd.tasks, current.id, current.process, node.outputs.directory, node.late_starts
            )
        return reach(purpose, current, target, lambda: self._sandbox.addresses)

    async def kill_all(self) -> None:
        """SIGKILL through containerd, for processes that outlive the kill of their cgroup. Its failures are logged."""
        await asyncio.gather(*(self._kill(name, current.id) for name, current in self._runs.items()))

    async def _kill(self, name: str, identity: ContainerId) -> None:
        try:
            async with asyncio.timeout(KILL_S):
                await self._node.containerd.tasks.kill(identity, signal.SIGKILL, all=True)
        except (ExecutorError, TimeoutError) as error:
            text = str(error) or f"no answer within {KILL_S:g} s"
            log.warning("containerd could not kill", code="pod.kill_failed", container=name, error=text)

    def living_first_pids(self) -> list[int]:
        """When the pod's cgroup has none of them, they were moved out of it, or are `ending`."""
        return sorted(self._living())

    def ending(self) -> list[int]:
        """Those that have left their cgroup and wait for what is in their pid namespace: a moment as a rule, and
        without a limit where a tracer does not wait for the end of one that it traces.
        """
        return [pid for pid in self.living_first_pids() if process_state.is_ending(pid)]

    async def end(self, timeout_s: float) -> list[int]:
        """SIGKILL to the first processes, wherever they are, and with them to all that is in their pid namespaces.
        Returns those that live after `timeout_s`.
        """
        living = self._living()
        for leader in living.values():
            leader.send(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for leader in living.values():
                    await leader.ended()
        return sorted(self._living())

    def end_starts(self) -> None:
        """End creations and starts that hang, of a pod that is to end."""
        self._release.end_starts()

    def lives(self, name: str) -> bool:
        """Whether its first process has been started and has not ended."""
        current = self._runs.get(name)
        return current is not None and current.lives()

    def _living(self) -> dict[int, HeldProcess]:
        """The first processes that have not ended."""
        held = [current.leader for current in self._runs.values() if current.leader is not None]
        return {leader.pid: leader for leader in held if not leader.has_ended()}

    def pid(self, name: str) -> int | None:
        """The pid of the first process of the container as it is now; None while there is none."""
        return current.pid if (current := self._runs.get(name)) else None

    def snapshot(self, name: str) -> str | None:
        """Key of the container's writable layer; None before it was made."""
        return current.snapshot if (current := self._runs.get(name)) else None

    def started(self) -> list[ContainerId]:
        """The containers that have been started."""
        return [current.id for current in self._runs.values() if current.started_at is not None]

    def pids(self) -> list[int]:
        """The first process of each running container."""
        return [current.pid for current in self._runs.values() if current.started_at is not None]

    async def written(self, names: Iterable[str] | None = None) -> None:
        """Wait, not long, until the logs have everything that these containers, or all, wrote before their end."""
        await self._node.outputs.written(map(self.id, self._spec if names is None else names), OUTPUT_S)

    async def kill(self, name: str, run: int) -> None:
        """SIGKILL to everything in the cgroup of this container, if this run is there."""
        current = self._runs.get(name)
        if current is not None and current.run == run:
            await self._release.clear(current.id)

    async def remove(self, name: str) -> list[Leak]:
        """One container; where the pod has others, they need its shim still."""
        return await self._remove((name,), with_shim=len(self._spec) == 1)

    async def remove_all(self, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> list[Leak]:
        """Every container of the pod, and the shim. `pause` sleeps between two tries."""
        return await self._remove(tuple(self._spec), with_shim=True, pause=pause)

    async def _remove(
        self, names: tuple[str, ...], *, with_shim: bool, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> list[Leak]:
        snapshots = {self.id(name): snapshot_key(self.id(name), self._attempts[name]) for name in names}
        leaks = await self._release.run(snapshots, with_shim=with_shim, pause=pause)
        await asyncio.gather(*(self._node.outputs.close(identity, OUTPUT_S) for identity in snapshots))
        for name in names:
            current = self._runs.pop(name, None)
            if current is not None:
                current.close()
        return leaks
