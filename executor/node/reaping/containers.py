"""The release of what containerd holds of a dead executor: in parallel, each container within a budget of its own.

No record goes before its task, and no snapshot before the record: whoever tries again finds by the record what is left.
A shim that does not answer within the budget is ended, for its owner is dead; containerd then removes the task, the
mount and the bundle by itself, and the rest is released in a second pass. containerd's NotFound about a task proves
nothing, so the bundle has to be gone too.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from executor.errors import ContainerdFailure, ExecutorError, TimedOut
from executor.names import OWNER_LABEL, POD_LABEL
from executor.node.reaping import shims

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.containerd import Containerd
    from executor.containerd.types import Container, Lease, Snapshot
    from executor.names import MesosContainerId

_T = TypeVar("_T")
BUDGET_S = 5.0
"""For one object; a shim needs a fraction of a second, on a busy node a few."""
PATIENT_S = 30.0
"""For what was not released within the budget, once its shim is ended; everything else is released by then."""
AT_ONCE = 8
LINGER_S = 1.0
"""How long a shim may take to end after its last container was removed."""
LOOK_S = 0.05


@dataclass
class Released:
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, kind: str, count: int) -> None:
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
    strays = stray(shims.in_groups(list(groups)), held.ids)
    failed = await _containers(held.containers, containerd, BUDGET_S)
    lost = await _snapshots(held, containerd, without=failed)
    await _lingering(groups)
    # One that hangs, or whose start was interrupted before it had joined its group.
    others = shims.of_containers(containerd.namespace, held.ids)
    try:
        ended = await shims.end(list(groups), others)
        await _bundles_gone([shim.bundle for shim in ended if shim.bundle is not None])
    except (ExecutorError, OSError) as error:
        result.failed.append(str(error))
    if failed:
        failed = await _containers([each for each in held.containers if each.id in failed], containerd, PATIENT_S)
        lost = await _snapshots(held, containerd, without=failed)
    leases = await _each(held.leases, lambda each: f"lease {each.id}", lambda each: containerd.leases.delete(each.id))
    if not failed:
        shims.remove_dead_sockets(containerd.address, containerd.namespace, held.pods)
    result.add("containers", len(held.containers) - len(failed))
    result.add("snapshots", len(held.snapshots) - len(lost) - len(_kept(held, failed)))
    result.add("leases", len(held.leases) - len(leases))
    result.add("shims", len(strays))
    result.failed += [f"{what}: {why}" for part in (failed, lost, leases) for what, why in part.items()]
    return result


async def _containers(records: Iterable[Container], containerd: Containerd, budget_s: float) -> dict[str, str]:
    return await _each(records, lambda each: each.id, lambda each: _container(each.id, containerd), budget_s)


async def _snapshots(held: _Held, containerd: Containerd, *, without: Collection[str]) -> dict[str, str]:
    """But for those of the containers that are still there. Those that are gone are success."""
    kept = _kept(held, without)
    free = [each.key for each in held.snapshots if each.key not in kept]
    return await _each(free, lambda key: f"snapshot {key}", containerd.snapshots.remove)


def _kept(held: _Held, containers: Collection[str]) -> set[str]:
    """The snapshots that records of these containers refer to."""
    keys = {each.snapshot_key for each in held.containers if each.id in containers}
    return keys & {each.key for each in held.snapshots}


def stray(found: Iterable[shims.Shim], recorded: Collection[str]) -> list[shims.Shim]:
    """Those that serve no container with a record. Pure."""
    return [shim for shim in found if shim.container not in recorded]


async def _held(owner: MesosContainerId, containerd: Containerd) -> _Held:
    label = {OWNER_LABEL: owner}
    return _Held(
        await containerd.containers.list(label),
        await containerd.snapshots.list(label),
        await containerd.leases.list(label),
    )


async def _each(
    things: Iterable[_T],
    name: Callable[[_T], str],
    action: Callable[[_T], Awaitable[None]],
    budget_s: float = BUDGET_S,
) -> dict[str, str]:
    """At most AT_ONCE at a time, each within `budget_s`; what failed, by name, and why."""
    turn, failed = asyncio.Semaphore(AT_ONCE), {}

    async def one(thing: _T) -> None:
        async with turn:
            try:
                async with asyncio.timeout(budget_s):
                    await action(thing)
            except TimeoutError:
                failed[name(thing)] = f"is not released within {budget_s:g} s"
            except ExecutorError as error:
                failed[name(thing)] = str(error)

    await asyncio.gather(*(one(thing) for thing in things))
    return failed


async def _container(identity: str, containerd: Containerd) -> None:
    """Its task, then its record."""
    tasks = containerd.tasks
    try:
        await tasks.delete(identity)
    except TimedOut:
        raise
    except ContainerdFailure:
        await tasks.kill(identity, signal.SIGKILL, all=True)
        await tasks.wait(identity)
        await tasks.delete(identity)
    await containerd.containers.delete(identity)


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
