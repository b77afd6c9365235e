"""Releases what dead executors left on the node: processes, containerd records, attachments, namespaces, cgroups.

An executor does not survive its own death: Mesos ends its container, and with the linux launcher its pods' processes.
What Mesos does not know of is reaped by the next executor, by the other half of a pair, by the watcher that each
executor leaves behind, or by `mesos-pod-executor gc` from a timer.

Ownership is always proven before anything is removed (lock_identity.py): the object carries the dead executor's id and
the identity of its lock, and this process holds that very lock. A thing without such an id is not ours. Where nothing
is proven the owner is unknown: it is reported, and its things are never touched. Owners are reaped at the same time, a
step that fails holds up none of the others, and an owner is forgotten only when a second look finds nothing of it, so
what fails is tried again by the next reaper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor.errors import ContainerdFailure, ExecutorError
from executor.log import get_logger
from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.node.claims import Owner
from executor.node.judgement import Judgement, judged
from executor.node.reaping import containers, networks, shims, volumes
from executor.node.reaping.found import marks_on_node
from executor.node.reaping.groups import remove_empty, remove_parents

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.config import Config
    from executor.containerd import Containerd
    from executor.node.reaping.containers import Released
    from executor.node.shim_group import ShimGroup
    from executor.node.shims import Shims

log = get_logger(__name__)

DIE_S = 10.0
"""How long killed processes may take to end."""
AGENT_S = 1.0
"""How long the agent may take to remove the container of an executor that has just died. What is in its way then are
cgroups that were made again after it had listed them."""
LOOK_S = 0.05
CLASSES = ("revocable", "regular")
"""The order in which an owner file names the groups of the shims."""
ROUNDS = 3
"""How often an owner is reaped of which something was found afterwards: containerd may have had a call from it."""
ROUND_S = 0.3
"""Between two rounds, for such a call to end."""


@dataclass
class Reaped:
    """What was released, by kind. `failed` names what could not be; `unknown` owners were not touched, and why."""

    owners: list[MesosContainerId] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    unknown: Mapping[MesosContainerId, str] = field(default_factory=dict)
    living: frozenset[MesosContainerId] = frozenset()
    """Their locks were held: by themselves, or by another reaper."""

    def add(self, kind: str, count: int = 1) -> None:
        """So many more of a kind were released."""
        self.counts[kind] = self.counts.get(kind, 0) + count

    def take(self, owner: Owner, released: Released) -> None:
        """Add what was released of `owner`, and what failed."""
        for kind, count in released.counts.items():
            self.add(kind, count)
        self.fail(owner, *released.failed)

    def fail(self, owner: Owner, *texts: object) -> None:
        """What of `owner` could not be released, and why."""
        self.failed += [f"executor {owner.container}: {text}" for text in texts]


async def reap(config: Config, containerd: Containerd, *, only: str = "") -> Reaped:
    """Everything of every dead executor on this node, or of the one that is called `only`. Never raises for what one of
    them left: see `failed`. Raises ContainerdFailure where nothing can be listed.
    """
    result, run_dir = Reaped(), Path(config.node.run_dir)
    marks = await marks_on_node(config, containerd)
    owners.forget_reaped(run_dir, marks.keys())
    with judged(run_dir, marks, only=only) as judgement:
        result.living = judgement.living
        await reap_owners(list(judgement.dead), config, containerd, result)
        if judgement.dead:
            _unwritten(config, result)
        result.unknown = await still_there(judgement, config, containerd)
    _tell(result)
    return result


def _unwritten(config: Config, result: Reaped) -> None:
    try:
        if count := networks.release_unwritten(config):
            result.add("addresses", count)
    except (ExecutorError, OSError) as error:
        result.failed.append(f"addresses that belong to no attachment: {error}")


async def reap_owners(dead: list[Owner], config: Config, containerd: Containerd, result: Reaped) -> None:
    """Owners whose death is proven, or assumed by an operator."""
    result.owners += sorted(owner.container for owner in dead)
    for _ in range(ROUNDS):
        tries = [Reaped() for _ in dead]
        await asyncio.gather(*(_reap_one(*each, config, containerd) for each in zip(dead, tries, strict=True)))
        for kind, count in (item for each in tries for item in each.counts.items()):
            result.add(kind, count)
        result.failed += [text for each in tries for text in each.failed]
        clean = [owner for owner, each in zip(dead, tries, strict=True) if not each.failed]
        left = (await marks_on_node(config, containerd)).keys() if clean else ()
        for owner in clean:
            if owner.container not in left:
                try:
                    owners.forget(owner)
                except OSError as error:
                    result.fail(owner, error)
        dead = [owner for owner in clean if owner.container in left]
        if not dead:
            return
        await asyncio.sleep(ROUND_S)
    for owner in dead:
        result.fail(owner, "something of it appears again and again")


async def still_there(
    judgement: Judgement, config: Config, containerd: Containerd | None
) -> dict[MesosContainerId, str]:
    """The unknown owners but for those that have ended cleanly between the looks at their things and at their locks."""
    if not judgement.unknown:
        return {}
    left = await marks_on_node(config, containerd)
    return {container: why for container, why in judgement.unknown.items() if container in left}


def _tell(result: Reaped) -> None:
    if result.owners:
        log.info(
            "reaped what dead executors left",
            code="executor.recovered",
            count=len(result.owners),
            mesos_containers=list(result.owners),
            outcome=", ".join(f"{count} {kind}" for kind, count in sorted(result.counts.items())) or "nothing was left",
        )
    for text in result.failed:
        log.warning("could not be reaped", code="executor.reap_failed", error=text)
    for container, why in result.unknown.items():
        log.warning("of an unknown owner", code="executor.unknown_owner", mesos_container=container, error=why)


async def _reap_one(owner: Owner, result: Reaped, config: Config, containerd: Containerd) -> None:
    from cgroups import CgroupError

    async def release_containers() -> None:
        result.take(owner, await containers.release(owner.container, containerd, shim_groups(owner, config)))

    async def release_networks() -> None:
        result.take(owner, await networks.release(owner, config))

    async def release_volumes() -> None:
        result.take(owner, await volumes.release(owner, config))

    async def each(*steps: Callable[[], Awaitable[None]]) -> None:
        for step in steps:
            try:
                await step()
            except (ExecutorError, CgroupError, OSError) as error:
                result.fail(owner, error)

    await each(
        lambda: _agent_first(owner, config),
        lambda: _processes(owner, result),
        lambda: _names(owner, config, result),
    )
    await asyncio.gather(each(release_containers), each(release_networks))  # neither waits for what hangs in the other
    await each(release_volumes, lambda: _cgroups(owner, config, result))


def root_of(owner: Owner) -> str:
    """Its cgroup tree; empty if its file does not say, or names a group that is not called after it."""
    named = owner.cgroup_root.rpartition("/")[2] == owner.container
    return owner.cgroup_root if named else ""


def shim_groups(owner: Owner, config: Config) -> list[Cgroup]:
    """The groups for shims in the subtrees of both classes."""
    return [each.group for each in _shims(owner, config)]


def _shims(owner: Owner, config: Config) -> list[Shims | ShimGroup]:
    """Where its file says, else wherever an executor has them that is configured like this process."""
    from cgroups import Hierarchies
    from executor.node.shim_group import ShimGroup
    from executor.node.shims import Shims

    hierarchies, found = Hierarchies.discover(), list[Shims | ShimGroup]()
    marked = [path for path in owner.shim_groups if path.rpartition("/")[2] == owner.container]
    if len(marked) == len(CLASSES):
        return [Shims(hierarchies, marked[0]), ShimGroup(hierarchies, marked[1])]
    for root in (owners.own_root(config.cgroups.root, owner.container), ""):
        named = (config.cgroups.root, owner.container, root)
        found.append(Shims(hierarchies, owners.shims_group(*named)))
        found.append(ShimGroup(hierarchies, owners.regular_shims_group(*named)))
    return found


async def _agent_first(owner: Owner, config: Config) -> None:
    """Lets the agent finish: it kills and removes a dead executor's container itself (v1), and must not find
    directories gone while it does. It may be away, so the time is limited. Meanwhile runc, which would make them again,
    is killed.
    """
    from cgroups import Hierarchies

    root, groups = root_of(owner), shim_groups(owner, config)
    freezer = Hierarchies.discover().v1.get("freezer")
    if freezer is None or root in ("", owners.own_root(config.cgroups.root, owner.container)):
        return
    for _ in range(round(AGENT_S / LOOK_S)):
        shims.end_helpers(groups)
        if not (freezer / root.lstrip("/")).exists():
            return
        await asyncio.sleep(LOOK_S)


async def _processes(owner: Owner, result: Reaped) -> None:
    from cgroups import Cgroup, Hierarchies

    root = root_of(owner)
    if not root:
        return
    pods = Cgroup(Hierarchies.discover(), f"{root}/pods")
    living = pods.pids()
    if living:
        pods.kill(everywhere=True)
    _thaw(root)
    if living:
        if not await pods.wait_unpopulated(DIE_S):
            raise ContainerdFailure(f"processes do not die: {sorted(pods.pids())}", subject=pods.path)
        result.add("processes", len(living))
    remove_empty(root)  # at once, for the agent may be waiting for it


def _thaw(root: str) -> None:
    """Takes back the freeze of an agent that ended, or gave up (after 60 s), before it had killed the container: a
    process that waits for storage cannot be frozen. An agent that is still at it freezes the container again.
    """
    from cgroups import Cgroup, CgroupNotFound, Hierarchies

    for path in (root, f"{root}/executor"):  # the agent freezes each group; those of the pods are thawed by their kill
        with suppress(CgroupNotFound):  # the agent has removed it meanwhile
            Cgroup(Hierarchies.discover(), path).thaw()


async def _names(owner: Owner, config: Config, result: Reaped) -> None:
    from executor.dns import remove_owner

    if count := remove_owner(Path(owner.hosts_dir or config.dns.hosts_dir), owner.container):
        result.add("names", count)


async def _cgroups(owner: Owner, config: Config, result: Reaped) -> None:
    from cgroups import Cgroup, Hierarchies

    hierarchies, root = Hierarchies.discover(), root_of(owner)
    failures = []
    for group in _shims(owner, config):
        try:
            await group.remove()
        except OSError as error:
            failures.append(error)
    if root:
        tree = Cgroup(hierarchies, root)
        if tree.exists():
            tree.destroy()
            result.add("cgroup trees")
        remove_parents(hierarchies, root)
    if failures:
        raise failures[0]
