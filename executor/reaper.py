"""Releases what dead executors left on the node: processes, containerd records, attachments, namespaces, cgroups.

An executor does not survive its own death: Mesos ends its container, and with the linux launcher its pods' processes.
What Mesos does not know of is reaped by the next executor, by the other half of a pair, or by `mesos-pod-executor gc`
from a timer.

Ownership is proven twice before anything is removed: the object carries the dead executor's id (a containerd label, a
directory of its name), and nobody holds that executor's lock (owners.py). Whatever carries no such id is not ours and
never touched. An owner is forgotten only when nothing of it is left, so what fails is tried again by the next reaper.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor import owners
from executor.errors import ContainerdFailure, ExecutorError
from executor.log import get_logger
from executor.names import MesosContainerId
from executor.owners import Owner, cni_parent, netns_parent
from executor.pod.node import OWNER_LABEL

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd

log = get_logger(__name__)

DIE_S = 10.0
"""How long killed processes may take to end."""
AGENT_S = 2.0
"""How long the agent may take to remove the container of an executor that has just died."""
LOOK_S = 0.05


@dataclass
class Reaped:
    """What was released, by kind; `failed` names what could not be."""

    owners: list[MesosContainerId] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, kind: str, count: int = 1) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + count


async def reap(config: Config, containerd: Containerd) -> Reaped:
    """Everything of every dead executor on this node. Never raises for what one of them left: see `failed`."""
    result = Reaped()
    run_dir = Path(config.node.run_dir)
    seen = await names_on_node(config, containerd)
    alive = owners.living(run_dir)  # before `dead`, whose locks look like those of the living
    with owners.dead(run_dir) as dead:
        known = {owner.container: owner for owner in dead}
        for container in sorted((seen | set(known)) - alive):
            owner = known.get(container, Owner(container))
            failed_before = len(result.failed)
            await _reap_one(owner, config, containerd, result)
            result.owners.append(container)
            if len(result.failed) == failed_before:
                owners.forget(run_dir, owner)
    if result.owners:
        log.info(
            "reaped what dead executors left",
            code="executor.recovered",
            count=len(result.owners),
            outcome=", ".join(f"{count} {kind}" for kind, count in sorted(result.counts.items())) or "nothing was left",
        )
    for text in result.failed:
        log.warning("could not be reaped", code="executor.reap_failed", error=text)
    return result


async def names_on_node(config: Config, containerd: Containerd | None) -> set[MesosContainerId]:
    """Every executor that something on this node says it belongs to. Asked before `living`, so that none is too
    young. Without `containerd` its records are left out.
    """
    found: set[MesosContainerId] = set()
    for part in (containerd.containers, containerd.snapshots) if containerd is not None else ():
        found |= {MesosContainerId(each.labels[OWNER_LABEL]) for each in await part.list({OWNER_LABEL: ""})}
    for directory in (netns_parent(config.node.run_dir), cni_parent(config.node.state_dir)):
        if directory.is_dir():
            found |= {MesosContainerId(path.name) for path in directory.iterdir() if path.is_dir()}
    return found


async def _reap_one(owner: Owner, config: Config, containerd: Containerd, result: Reaped) -> None:
    from cgroups import CgroupError

    for step in (_agent_first, _processes, _names, _containers, _networks, _cgroups):
        try:
            await step(owner, config, containerd, result)
        except (ExecutorError, CgroupError, OSError) as error:
            result.failed.append(f"executor {owner.container}: {error}")


async def _agent_first(owner: Owner, config: Config, __: Containerd, ___: Reaped) -> None:
    """Lets the agent finish: it kills and removes a dead executor's container itself (v1), and must not find
    directories gone while it does. It may be away, so the time is limited.
    """
    from cgroups import Hierarchies

    freezer = Hierarchies.discover().v1.get("freezer")
    if freezer is None or owner.cgroup_root in ("", owners.own_root(config.cgroups.root, owner.container)):
        return
    for _ in range(round(AGENT_S / LOOK_S)):
        if not (freezer / owner.cgroup_root.lstrip("/")).exists():
            return
        await asyncio.sleep(LOOK_S)


async def _processes(owner: Owner, _: Config, __: Containerd, result: Reaped) -> None:
    from cgroups import Cgroup, Hierarchies

    if not owner.cgroup_root:
        return
    pods = Cgroup(Hierarchies.discover(), f"{owner.cgroup_root}/pods")
    living = pods.pids()
    if not living:
        return
    pods.kill()
    if not await pods.wait_unpopulated(DIE_S):
        raise ContainerdFailure(f"processes do not die: {sorted(pods.pids())}", subject=pods.path)
    result.add("processes", len(living))


async def _names(owner: Owner, config: Config, _: Containerd, result: Reaped) -> None:
    from executor.dns import remove_owner

    if count := remove_owner(Path(config.dns.hosts_dir), owner.container):
        result.add("names", count)


async def _containers(owner: Owner, _: Config, containerd: Containerd, result: Reaped) -> None:
    label = {OWNER_LABEL: owner.container}
    snapshots = await containerd.snapshots.list(label)  # containerd collects those of deleted containers by itself
    for container in await containerd.containers.list(label):
        try:
            await containerd.tasks.delete(container.id)
        except ContainerdFailure:
            await containerd.tasks.kill(container.id, signal.SIGKILL, all=True)
            with contextlib.suppress(TimeoutError, ExecutorError):
                async with asyncio.timeout(DIE_S):
                    await containerd.tasks.wait(container.id)
            await containerd.tasks.delete(container.id)
        await containerd.containers.delete(container.id)
        result.add("containers")
    for snapshot in snapshots:
        await containerd.snapshots.remove(snapshot.key)
        result.add("snapshots")


async def _networks(owner: Owner, config: Config, _: Containerd, result: Reaped) -> None:
    from executor.cni import Cni, netns

    state = cni_parent(config.node.state_dir) / owner.container
    pins = netns_parent(config.node.run_dir) / owner.container
    cni = Cni(Path(config.cni.config_dir), [Path(each) for each in config.cni.plugin_dirs], state, config.cni.timeout_s)
    for pod in _names_in(state):
        pin = pins / pod
        try:
            await cni.detach(pod, pin if netns.exists(pin) else None)
            result.add("attachments")
        except ExecutorError as error:
            result.failed.append(f"executor {owner.container}: {error}")
    held = _names_in(state)
    for pin in netns.pinned(pins):
        if pin.name not in held:  # a namespace goes after its attachments
            await netns.destroy(pin)
            result.add("namespaces")
    if not held:
        _remove_empty(pins)
        _remove_empty(state)


def _names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


def _remove_empty(directory: Path) -> None:
    """Also its directories, if nothing is in them."""
    if not directory.is_dir():
        return
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
    directory.rmdir()


async def _cgroups(owner: Owner, config: Config, _: Containerd, result: Reaped) -> None:
    from cgroups import Cgroup, Hierarchies
    from executor.pod.shims import Shims

    hierarchies = Hierarchies.discover()
    shims = owners.shims_group(config.cgroups.root, owner.container, owner.cgroup_root)
    await Shims(hierarchies, shims).remove()
    if not owner.cgroup_root:
        return
    root = Cgroup(hierarchies, owner.cgroup_root)
    if root.exists():
        root.destroy()
        result.add("cgroup trees")
