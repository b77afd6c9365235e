"""The cgroups of this executor: where their root is, how this process enters them and leaves them.

The root is the group of the Mesos container, or one of the executor's own where the agent makes none. An agent that
works with cgroup v2 keeps a container's processes in its child `leaf`, since the container's group passes controllers
on. Where it keeps them in the container's group, they move to the executor's leaf as long as this process runs.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from executor import log as logs
from executor.errors import CgroupFailure
from executor.names import PodClass
from executor.node.claims import own_root

if TYPE_CHECKING:
    from cgroups import Hierarchies, Membership, Tree
    from executor.config.cgroups import CgroupsSection
    from executor.names import MesosContainerId
    from executor.node.claims import Claim

log = logs.get_logger(__name__)

_CGROUP = Path("/sys/fs/cgroup")
_LEAF = "/leaf"
"""Source: src/slave/containerizer/mesos/isolators/cgroups2/ and linux/cgroups2.cpp of Mesos."""


def container_root(paths: Mapping[str, str], container: MesosContainerId) -> str | None:
    """The Mesos container's group, from where its process is in each hierarchy; None: the agent made none. Pure."""
    for path in paths.values():
        group = path.removesuffix(_LEAF)
        if group.endswith(f"/{container}"):
            return group
    return None


def root(configured: str, container: MesosContainerId) -> str:
    """The Mesos container's group where the agent made one, else one of the executor's own; `configured` is [cgroups]
    root.
    """
    from cgroups import Membership

    return container_root(Membership.of(os.getpid()).paths, container) or own_root(configured, container)


def kill_file(root: str) -> Path | None:
    """What ends all pods below `root` when it is written. None where the agent ends them with the Mesos container, and
    where there is no cgroup2.
    """
    from cgroups import Hierarchies, Membership

    hierarchies = Hierarchies.discover()
    if hierarchies.unified is None or agent_ends_pods(Membership.of(os.getpid()).paths, root, hierarchies):
        return None
    return hierarchies.unified / root.lstrip("/") / "pods/cgroup.kill"


def agent_ends_pods(paths: Mapping[str, str], root: str, hierarchies: Hierarchies) -> bool:
    """Whether this process, which is in the groups `paths`, is below `root` in the hierarchy in which runc has all
    containers: cgroup2 if that is at /sys/fs/cgroup, else v1's freezer. Pure.

    Source: IsCgroup2UnifiedMode in libcontainer/cgroups/utils.go of runc.
    """
    name = "" if hierarchies.unified == _CGROUP else "freezer"
    return f"{paths.get(name, '')}/".startswith(f"{root}/")


def enter(section: CgroupsSection, root: str, claim: Claim, stack: AsyncExitStack) -> Tree:
    """The cgroups below `root`, with this process in its own leaf, until `stack` ends. Raises CgroupFailure, and
    InvalidConfig for CPUs and disks that are not here.
    """
    from cgroups import CgroupError, Hierarchies, Membership, Mode, Tree, oomd, qos
    from cgroups.internal import passed_on, vacate
    from executor.node import class_settings
    from executor.node.reaping.groups import ensure_parents
    from executor.node.shim_group import mark

    try:
        tree = Tree(Hierarchies.discover(), root)
        moved = [Membership.of(os.getpid())]
        passed = passed_on(tree.hierarchies.unified, root) if tree.hierarchies.unified else frozenset[str]()
        stack.callback(_leave, tree, moved, claim, passed)
        ensure_parents(tree.hierarchies, root)
        tree.executor.ensure(with_controllers=False)
        mark(tree.root, claim.identity)
        tree.executor.attach(os.getpid())
        oomd.mark(tree.executor, oomd.Mark.OMIT)
        if tree.hierarchies.mode is Mode.V2:
            moved += vacate(tree.root, tree.executor)
        for pod_class in PodClass:
            tree.subtree(pod_class).ensure()
            class_settings.apply(tree, pod_class, section)
        tree.executor.apply(qos.EXECUTOR_CPU)
    except CgroupError as error:
        raise CgroupFailure(str(error), hint="run `mesos-pod-executor doctor` on this node") from error
    return tree


def _leave(tree: Tree, moved: Iterable[Membership], claim: Claim, passed: Collection[str]) -> None:
    """Everything goes but the Mesos container's own groups, which pass on what they did, and the processes go back to
    where the agent started them. `moved`: this process first.
    """
    from cgroups import Cgroup, CgroupError
    from cgroups.internal import take_back
    from executor.node.reaping.groups import remove_parents

    own, *others = moved
    try:
        tree.pods.destroy()
        if tree.hierarchies.unified is not None:
            take_back(tree.hierarchies.unified, tree.root_path, keep=passed)
        for each in (own, *others):
            _rejoin(each, tree)
        tree.executor.destroy()
        elsewhere = own.elsewhere(tree.hierarchies, tree.root_path)
        Cgroup(elsewhere, tree.root_path).destroy()
        remove_parents(elsewhere, tree.root_path)
    except CgroupError as error:
        log.warning("could not remove the own cgroups", code="executor.cgroups_left", error=error)
        claim.keep()


def _rejoin(member: Membership, tree: Tree) -> None:
    from cgroups import CgroupError

    try:
        member.rejoin(tree.hierarchies)
    except CgroupError as error:
        if error.errno != errno.ESRCH or member.pid == os.getpid():
            raise
