"""The containers of one pod in containerd: made, started, signalled, removed. Owns their records and their pidfds.

A container is made (`create`) up to the point where runc waits to run its first instruction, so that starting it is
one short call. A restart is a new container record on a new snapshot under the same id. Removal is idempotent and
goes by the pod's label and lease, not by memory, so that it also removes what a cancelled creation left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.containerd.types import RuncOptions
from executor.errors import ContainerdFailure, ExecutorError, ImageFailure, NotFound, TimedOut
from executor.log import get_logger
from executor.names import ContainerId, PodClass, PodId, container_id
from executor.pod import hooks, leaders, users
from executor.pod.model import StopCause
from executor.pod.node import Node, log_path, snapshot_key
from executor.pod.tasks import patiently, to_the_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from executor.containerd.types import Image, Mount
    from executor.pod.model import Stop
    from executor.pod.spec import ContainerSpec, PodSpec
    from executor.pod.users import UserIds

log = get_logger(__name__)

LEASE_S = 600.0
"""A lease that this process could not end is dropped by containerd after this time."""
STOP_AFTER_KILL_S = 5.0
"""How long containerd may take to notice the end of a process that is dead already."""
RESTART_S = 30.0
"""How long a removal waits for a containerd that restarts; what is left then is the next executor's to remove."""

OUTPUT_S = 2.0
"""How long the end of a container waits until its output is in its log; a disk that hangs for longer gets none."""


@dataclass
class Made:
    """One container record with its task, created and perhaps started."""

    id: ContainerId
    snapshot: str
    image: Image
    pid: int
    pidfd: int | None
    process: Any
    """What its first process is, as in the OCI document."""
    started_at: float | None = None  # monotonic


class Containers:
    def __init__(
        self,
        node: Node,
        pod: PodId,
        spec: PodSpec,
        runtime_spec: Callable[[ContainerSpec, Image, UserIds], dict[str, object]],
    ):
        self._node = node
        self._pod = pod
        self._spec = {container.name: container for container in spec.containers}
        self._apart = spec.pod_class is PodClass.REVOCABLE
        self._runtime_spec = runtime_spec
        self._made: dict[str, Made] = {}
        self._attempts = dict.fromkeys(self._spec, 0)

    def id(self, name: str) -> ContainerId:
        return container_id(self._pod, name)

    def ran_s(self, name: str) -> float:
        made = self._made.get(name)
        return 0.0 if made is None or made.started_at is None else time.monotonic() - made.started_at

    async def create(self, name: str) -> None:
        """Image, snapshot, record and task. Raises ImageFailure, ContainerdFailure."""
        image = await self._image(self._spec[name].image)
        await to_the_end(self._make(name, image))

    async def _make(self, name: str, image: Image) -> None:
        ctrd, identity, labels = self._node.containerd, self.id(name), self._node.labels(self._pod)
        self._attempts[name] += 1
        snapshot = snapshot_key(identity, self._attempts[name])
        shim_cgroup = self._node.shims.ensure() if self._apart else ""
        async with ctrd.leases.hold(identity, expire_s=LEASE_S) as lease:
            mounts = await ctrd.snapshots.prepare(snapshot, image.chain_id, lease=lease, labels=labels)
            spec = self._runtime_spec(self._spec[name], image, await self._user(name, image, mounts))
            await ctrd.containers.create(
                identity,
                image=image.name,
                snapshot_key=snapshot,
                spec=spec,
                labels=labels,
                shim_group=self._pod,
                options=RuncOptions(shim_cgroup=shim_cgroup),
            )
        directory = self._node.directory(self._pod)
        paths = {stream: log_path(directory, name, stream) for stream in ("stdout", "stderr")}
        with self._node.outputs.opened(identity, paths, log.bind(pod=self._pod, container=name)) as fifos:
            pid = await ctrd.tasks.create(identity, mounts, **fifos)
        self._made[name] = Made(identity, snapshot, image, pid, _pidfd(pid), spec["process"])

    async def _user(self, name: str, image: Image, mounts: list[Mount]) -> UserIds:
        wanted = users.wanted(self._spec[name].security, image.config.user)
        return await self._node.users.ids(image, mounts, wanted, subject=f"container {name}")

    async def _image(self, reference: str) -> Image:
        try:
            return await self._node.containerd.images.lookup(reference)
        except NotFound as error:
            raise ImageFailure(
                "is not on this node",
                subject=f"image {reference}",
                mend="import or pull it into the executor's containerd namespace",
            ) from error

    async def start(self, name: str) -> int:
        """The first process's pid (in the host's pid namespace). Raises ContainerdFailure."""
        made = self._made[name]
        made.started_at = time.monotonic()
        await to_the_end(self._node.containerd.tasks.start(made.id))
        return made.pid

    async def renew(self, name: str) -> None:
        """Remove the exited container and make it anew, for a restart."""
        leaked = await self.remove(name)
        if leaked:
            raise ContainerdFailure("could not be removed before its restart", subject=f"container {name}")
        await self.create(name)

    def signal(self, name: str) -> bool:
        """The image's stop signal, else SIGTERM, to the first process, by its pidfd, so that it can reach no other.
        Whether it was there.
        """
        made = self._made.get(name)
        if made is None or made.pidfd is None or made.started_at is None:
            return False
        try:
            signal.pidfd_send_signal(made.pidfd, _stop_signal(made.image.config.stop_signal))
        except ProcessLookupError:
            return False
        return True

    async def terminate(self, names: tuple[str, ...]) -> None:
        """The stop signal to all of these, to one with a preStop hook after it."""
        hooked = [name for name in names if self._spec[name].pre_stop is not None]
        for name in names:
            if name not in hooked:
                self.signal(name)
        await asyncio.gather(*(self._terminate_after_hook(name) for name in hooked))

    async def _terminate_after_hook(self, name: str) -> None:
        made, command = self._made.get(name), self._spec[name].pre_stop
        if made is not None and made.started_at is not None and command is not None:
            await hooks.pre_stop(self._node.containerd.tasks, made.id, made.process, command, log)
            self.signal(name)

    async def kill_all(self) -> None:
        """SIGKILL through containerd, for processes that outlive the kill of their cgroup. Its failures are logged."""
        for name, made in tuple(self._made.items()):
            try:
                await self._node.containerd.tasks.kill(made.id, signal.SIGKILL, all=True)
            except ExecutorError as error:
                log.warning("containerd could not kill", code="pod.kill_failed", container=name, error=str(error))

    def strays(self) -> list[int]:
        """The first processes that live on: asked when the pod's cgroup has none, those that were moved out of it."""
        return [pid for pid in self._living() if not leaders.is_ending(pid)]

    async def end(self, timeout_s: float) -> list[int]:
        """SIGKILL to the first processes, wherever they are, and with them to all that is in their pid namespaces.
        Returns those that live after `timeout_s`.
        """
        living = self._living()
        for pidfd in living.values():
            leaders.kill(pidfd)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                for pidfd in living.values():
                    await leaders.ended(pidfd)
        return sorted(self._living())

    def _living(self) -> dict[int, int]:
        """The first processes that have not ended, with their pidfds."""
        held = {made.pid: made.pidfd for made in self._made.values() if made.pidfd is not None}
        return {pid: pidfd for pid, pidfd in held.items() if not leaders.has_ended(pidfd)}

    def pid(self, name: str) -> int | None:
        """Of the first process of the container as it is now; None while there is none."""
        made = self._made.get(name)
        return None if made is None else made.pid

    def started(self) -> list[ContainerId]:
        return [made.id for made in self._made.values() if made.started_at is not None]

    def pids(self) -> list[int]:
        """The first process of each running container."""
        return [made.pid for made in self._made.values() if made.started_at is not None]

    async def remove(self, name: str) -> list[str]:
        """Task, record and snapshots of one container, in this order; what could not be removed, in words."""
        ctrd, identity = self._node.containerd, self.id(name)
        leaked: list[str] = []
        snapshot = snapshot_key(identity, self._attempts[name])
        steps: tuple[tuple[str, Callable[[], Awaitable[None]]], ...] = (
            ("task", lambda: self._delete_task(identity)),
            ("container", lambda: ctrd.containers.delete(identity)),
            ("snapshot", lambda: ctrd.snapshots.remove(snapshot)),
        )
        for what, step in steps:
            try:
                await patiently(step, patience_s=RESTART_S)
            except ExecutorError as error:
                log.warning("could not remove", code="pod.leaked", container=identity, what=what, error=str(error))
                leaked.append(f"{what} {identity}: {error}")
        await self._node.outputs.close(identity, OUTPUT_S)
        made = self._made.pop(name, None)
        if made is not None and made.pidfd is not None:
            os.close(made.pidfd)
        return leaked

    async def _delete_task(self, identity: ContainerId) -> None:
        """A task can be deleted once its shim saw the process end, which comes shortly after the end itself."""
        tasks = self._node.containerd.tasks
        try:
            await tasks.delete(identity)
        except ContainerdFailure:
            await tasks.kill(identity, signal.SIGKILL, all=True)
            try:
                async with asyncio.timeout(STOP_AFTER_KILL_S):
                    await tasks.wait(identity)
            except TimeoutError as error:
                raise TimedOut("its end was not seen", subject=f"task {identity}") from error
            await tasks.delete(identity)

    async def written(self, stop: Stop | None, names: Iterable[str] | None = None) -> None:
        """Wait, not long, until the logs have everything that these containers, or all, wrote before their end. A
        revocation waits for no log.
        """
        if stop is None or stop.cause is not StopCause.REVOKED:
            await self._node.outputs.written(map(self.id, self._spec if names is None else names), OUTPUT_S)

    async def remove_all(self) -> list[str]:
        """Every container of the pod."""
        parts = await asyncio.gather(*(self.remove(name) for name in self._spec))
        return [text for part in parts for text in part]


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # gone already; its exit event is on its way
        return None


def _stop_signal(name: str | None) -> signal.Signals:
    """An image's STOPSIGNAL is a number or a name with or without SIG."""
    if name:
        with contextlib.suppress(ValueError, KeyError):
            return (
                signal.Signals(int(name))
                if name.isdigit()
                else signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"]
            )
    return signal.SIGTERM
