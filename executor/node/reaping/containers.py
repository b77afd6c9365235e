"""The release of what containerd holds of a dead executor: in parallel, each container within a budget of its own.

No record goes before its task, and no snapshot before the record: the next try finds by the record what is left.
A shim that does not answer within the budget is ended, for its owner is dead; containerd then removes the task, the
mount and the bundle by itself, and the rest is released in a second pass. containerd's NotFound about a task proves
nothing, so the bundle and runc's state have to be gone too; what a killed runc left of that is removed in that pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from executor.errors import ContainerdFailure, ExecutorError, reason
from executor.names import OWNER_LABEL, POD_LABEL
from executor.node import runtime_state, shim_processes, shim_sockets
from executor.node.reaping import shims

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.containerd import Containerd
    from executor.containerd.types import Container, Lease, Snapshot
    from executor.names import MesosContainerId
    from executor.node.shim_processes import Shim

_T = TypeVar("_T")
BUDGET_S = 5.0
"""For one object; a shim needs a fraction of a second, on a busy node a few."""
PATIENT_S = 30.0
"""For what was not released within the budget, once its shim is ended; everything else is released by then."""
AT_ONCE = 8
AGAIN_S = (0.1, 0.3, 1.0)
LINGER_S = 1.0
"""How long a shim may take to end after its last container was removed."""
LOOK_S = 0.05


@dataclass
class Released:
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, kind: str, count: int) -> None:
        """So many more of a kind were released."""
        if count:
            self.counts[kind] = self.counts.get(kind, 0) + count


@dataclass(frozen=True)
class _Held:
    containers: tuple[Container, ...]
    snapshots: tuple[Snapshot, ...]
    leases: tuple[Lease, ...]

    @property
    def ids(self) -> set[str]:
        return {each.id for each in self.containers}

    @property
    def pods(self) -> set[str]:
        labels = [*(each.labels for each in self.containers), *(each.labels for each in self.snapshots)]
        return {each[POD_LABEL] for each in labels if POD_LABEL in each}


async def release(owner: MesosContainerId, containerd: Containerd, groups: Collection[Cgroup]) -> Released:
    """Everything of a dead owner. `groups` are those of its shims. Raises ContainerdFailure where nothing can be
    listed; what else goes wrong is in `failed`.
    """
    result = Released()
    held = await _held(owner, containerd)  # snapshots too: containerd collects those of deleted containers by itself
    lost_shims = without_record(shims.in_groups(list(groups)), held.ids)
    failed = await _containers(held.containers, containerd, BUDGET_S, last=False)
    lost = await _snapshots(held, containerd, without=failed)
    await _lingering(groups)
    # One that hangs, or whose start was interrupted before it had joined its group.
    others = shim_processes.of_containers(containerd.namespace, held.ids)
    try:
        ended = await shims.end(list(groups), others)
        await _bundles_gone([each.bundle for each in ended if each.bundle is not None])
    except (ExecutorError, OSError) as error:
        result.failed.append(str(error))
    if failed:
        failed = await _containers(
            [each for each in held.containers if each.id in failed], containerd, PATIENT_S, last=True
        )
        lost = await _snapshots(held, containerd, without=failed)
    leases = await release_each(
        held.leases, lambda each: f"lease {each.id}", lambda each: containerd.leases.delete(each.id)
    )
    if not failed:
        shim_sockets.remove_dead(containerd.address, containerd.namespace, held.pods)
    result.add("containers", len(held.containers) - len(failed))
    result.add("snapshots", len(held.snapshots) - len(lost) - len(_kept(held, failed)))
    result.add("leases", len(held.leases) - len(leases))
    result.add("shims", len(lost_shims))
    result.failed += [f"{what}: {why}" for part in (failed, lost, leases) for what, why in part.items()]
    return result


async def _containers(
    records: Iterable[Container], containerd: Containerd, budget_s: float, *, last: bool
) -> dict[str, str]:
    return await release_each(
        records, lambda each: each.id, lambda each: _container(each.id, containerd, last=last), budget_s
    )


async def _snapshots(held: _Held, containerd: Containerd, *, without: Collection[str]) -> dict[str, str]:
    """But for those of the containers that are still there. Those that are gone are success."""
    kept = _kept(held, without)
    free = [each.key for each in held.snapshots if each.key not in kept]
    return await release_each(free, lambda key: f"snapshot {key}", containerd.snapshots.remove)


def _kept(held: _Held, containers: Collection[str]) -> set[str]:
    """The snapshots that records of these containers refer to."""
    keys = {each.snapshot_key for each in held.containers if each.id in containers}
    return keys & {each.key for each in held.snapshots}


def without_record(found: Iterable[Shim], recorded: Collection[str]) -> list[Shim]:
    """Those that serve no container with a record. Pure."""
    return [shim for shim in found if shim.container not in recorded]


async def _held(owner: MesosContainerId, containerd: Containerd) -> _Held:
    label = {OWNER_LABEL: owner}
    return _Held(
        await containerd.containers.list(label),
        await containerd.snapshots.list(label),
        await containerd.leases.list(label),
    )


async def release_each(
    things: Iterable[_T],
    name: Callable[[_T], str],
    action: Callable[[_T], Awaitable[None]],
    budget_s: float = BUDGET_S,
) -> dict[str, str]:
    """At most AT_ONCE at a time, each within `budget_s` seconds; what failed, by name, and why.

    What is refused is tried again after the pauses AGAIN_S: containerd fails calls about a task whose shim has just
    ended, until it has seen that (containerd 1.6, runtime/v2/manager.go: the task leaves its list after the
    bundle is removed).
    """
    turn, failed = asyncio.Semaphore(AT_ONCE), dict[str, str]()

    async def one(thing: _T) -> None:
        async with turn:
            if why := await _tried(lambda: action(thing), budget_s):
                failed[name(thing)] = why

    await asyncio.gather(*(one(thing) for thing in things))
    return failed


async def _tried(action: Callable[[], Awaitable[None]], budget_s: float) -> str:
    """Why it failed; empty if it did not."""
    why = ""
    try:
        async with asyncio.timeout(budget_s):
            for pause_s in (0.0, *AGAIN_S):
                await asyncio.sleep(pause_s)
                try:
                    await action()
                except ExecutorError as error:
                    why = str(error)
                else:
                    return ""
    except TimeoutError:
        return f"is not released within {budget_s:g} s" + (f", at last: {why}" if why else "")
    return why


async def _container(identity: str, containerd: Containerd, *, last: bool) -> None:
    """Its task, then its record. With `last` no shim and no process of it is left. Raises ContainerdFailure."""
    await containerd.tasks.remove(identity)
    if runtime_state.exists(containerd.namespace, identity):
        await _abandoned(containerd.namespace, identity, last=last)
    await containerd.containers.delete(identity)


async def _abandoned(namespace: str, identity: str, *, last: bool) -> None:
    """containerd knows no task any more, and runc has its state still. Raises ContainerdFailure while it has."""
    try:
        gone = last and await asyncio.to_thread(runtime_state.remove_abandoned, namespace, identity)
    except OSError as error:
        raise ContainerdFailure(f"runc's state of it cannot be removed: {reason(error)}", subject=identity) from error
    if not gone:
        raise ContainerdFailure("runc has its state still", subject=identity)


async def _lingering(groups: Collection[Cgroup]) -> None:
    """For the shims whose containers were removed just now."""
    for _ in range(round(LINGER_S / LOOK_S)):
        if not any(group.pids() for group in groups):
            return
        await asyncio.sleep(LOOK_S)


async def _bundles_gone(bundles: list[Path]) -> None:
    """containerd removes them when it has seen the ends of their shims. Raises ContainerdFailure."""
    for _ in range(round(PATIENT_S / LOOK_S)):
        bundles = [path for path in bundles if path.exists()]
        if not bundles:
            return
        await asyncio.sleep(LOOK_S)
    raise ContainerdFailure("containerd has not removed it", subject=f"bundle {bundles[0]}")
