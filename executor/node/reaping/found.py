"""Every thing on the node that carries an executor's name, with the identity of its owner's lock where it has one."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from executor.names import LOCK_LABEL, OWNER_LABEL, MesosContainerId
from executor.node import claims as owners
from executor.node import owner_marks
from executor.node.claims import cni_parent, netns_parent, volumes_parent
from executor.node.owner_marks import Marks
from executor.node.reaping.groups import identities

if TYPE_CHECKING:
    from executor.config import Config
    from executor.containerd import Containerd

_CONTAINER_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As Mesos makes them: what else is in a shared directory is not an executor's."""


async def marks_on_node(config: Config, containerd: Containerd | None) -> Marks:
    """Without `containerd` its records are left out. Raises ContainerdFailure."""
    found: dict[MesosContainerId, set[str]] = defaultdict(set)
    for part in (_records(each) for each in await _labels(containerd)), _directories(config), _names(config):
        for container, text in part:
            found[container].add(text or "")
    for container, noted in _groups(config):
        found[container] |= {noted} if noted else set()
    return {container: frozenset(texts) for container, texts in found.items()}


async def _labels(containerd: Containerd | None) -> list[dict[str, str]]:
    if containerd is None:
        return []
    wanted = {OWNER_LABEL: ""}
    containers = await containerd.containers.list(wanted)
    snapshots = await containerd.snapshots.list(wanted)
    leases = await containerd.leases.list(wanted)
    labels = [[dict(each.labels) for each in containers], [dict(each.labels) for each in snapshots]]
    return [*labels[0], *labels[1], *(dict(each.labels) for each in leases)]


def _records(labels: dict[str, str]) -> tuple[MesosContainerId, str]:
    return MesosContainerId(labels[OWNER_LABEL]), labels.get(LOCK_LABEL, "")


def _directories(config: Config) -> Iterator[tuple[MesosContainerId, str]]:
    run_dir = config.node.run_dir
    for parent in (netns_parent(run_dir), volumes_parent(run_dir), cni_parent(config.node.state_dir)):
        yield from owner_marks.of_directories(parent)


def _names(config: Config) -> Iterator[tuple[MesosContainerId, str]]:
    from executor.dns import HostsDir

    hosts = HostsDir(Path(config.dns.hosts_dir))
    for owner in sorted(hosts.owners()):
        text = hosts.marked(owner)
        if text or _CONTAINER_ID.fullmatch(owner):
            yield MesosContainerId(owner), text


def _groups(config: Config) -> Iterator[tuple[MesosContainerId, str | None]]:
    """A hierarchy that cannot be read names no owner."""
    from cgroups import CgroupError

    for parent in owners.group_parents(config.cgroups.root):
        with contextlib.suppress(CgroupError):
            for name, text in identities(parent):
                if _CONTAINER_ID.fullmatch(name):
                    yield MesosContainerId(name), text
