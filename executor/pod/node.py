"""What every pod's runner is given: the node's adapters, and where the pods' things lie. Holds no
decisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor.config import Config
from executor.disk.turns import Turns
from executor.exec.late import LateStarts
from executor.names import LOCK_LABEL, OWNER_LABEL, POD_LABEL, PODS, ContainerId, MesosContainerId, PodClass, PodId
from executor.node.claims import Claim, netns_parent, own_root, volumes_parent
from executor.node.runtime_choice import RUNC
from executor.oci.image_users import ImageUsers
from executor.pod.release.pace import ReleasePace
from executor.probes.ask import Means

if TYPE_CHECKING:
    from cgroups import Cgroup, Tree
    from executor.cni import Cni
    from executor.containerd import Containerd
    from executor.dns import Names
    from executor.images.images import Images
    from executor.mesos.agent_flags import AgentFlags
    from executor.netlink import NetworkWatch
    from executor.node.shim_group import ShimGroup
    from executor.node.shims import Shims
    from executor.output.outputs import Outputs
    from executor.pod.network.executor_network import OwnNetwork
    from executor.pod.resources.classes import Classes
    from executor.pod.resources.cpu_boost import CpuBoost

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Node:
    config: Config
    owner: MesosContainerId
    """This executor's Mesos container: every record that it leaves on the node carries it."""
    claim: Claim
    """To it; kept when something of it could not be released."""
    mesos_sandbox: Path
    network: OwnNetwork
    """That of the executor itself."""
    containerd: Containerd
    images: Images
    cni: Cni
    networks: NetworkWatch
    tree: Tree
    classes: Classes
    names: Names | None
    """None: pods are not published."""
    shims: Shims
    outputs: Outputs
    read_agent_flags: Callable[[], AgentFlags]
    """Asks the agent. Blocking. Raises MesosFailure."""
    victims_boost: CpuBoost
    """For revocable pods that do not die soon."""
    shims_boost: CpuBoost
    """For their shims: during a launch, and when a start that has to end, or a clean-up, takes long."""
    launching: Mapping[PodClass, asyncio.Semaphore]
    """Bounds how many pods are set up at the same time. No regular pod queues behind one that gets only idle CPU."""
    runtimes: Mapping[PodClass, str] = field(default_factory=lambda: dict.fromkeys(PodClass, RUNC))
    """The program that containerd's shim runs containers of each class with."""
    regular_shims: ShimGroup | None = None
    """None: those of regular pods run beside containerd."""
    release_pace: ReleasePace = field(default_factory=ReleasePace)
    users: ImageUsers = field(default_factory=ImageUsers)
    probing: Means = field(default_factory=Means)
    """What probes and hooks ask containers with."""
    late_starts: LateStarts = field(default_factory=LateStarts)
    removing: Turns = field(default_factory=lambda: Turns("removing"))
    """Removes the files of pods, in any number."""
    owning: Turns = field(default_factory=lambda: Turns("owning"))
    """Gives the files of claimed volumes their group."""
    counting: Turns = field(default_factory=lambda: Turns("counting"))
    """Counts what pods use of the disk."""

    @property
    def guarded(self) -> Cgroup | None:
        """The Mesos container's cgroup, if its CPU weight is to be guarded from the agent."""
        own = self.tree.root_path == own_root(self.config.cgroups.root, self.owner)
        return None if own or not self.config.cgroups.guard_weight else self.tree.root

    def directory(self, pod: PodId) -> Path:
        """Logs, volumes and files of one pod, in the Mesos sandbox."""
        return self.mesos_sandbox / PODS / pod

    def netns(self, pod: PodId) -> Path:
        """The file of one pod's network namespace."""
        return netns_parent(self.config.node.run_dir) / self.owner / pod

    def mounts(self, pod: PodId) -> Path:
        """Mounts of one pod's volumes, in the node's own run directory."""
        return volumes_parent(self.config.node.run_dir) / self.owner / pod

    def labels(self, pod: PodId) -> dict[str, str]:
        """The proof of ownership on every containerd record."""
        lock = {LOCK_LABEL: self.claim.identity} if self.claim.identity else {}
        return {OWNER_LABEL: self.owner, **lock, POD_LABEL: pod}

    def shim_cgroup(self, pod_class: PodClass) -> str:
        """Where containerd is to start the shims of such pods; empty: beside itself."""
        if pod_class is PodClass.REVOCABLE:
            return self.shims.ensure()
        return "" if self.regular_shims is None else self.regular_shims.ensure()


def log_name(container: str, stream: str) -> str:
    """The name of the file in the pod's directory; `stream` is one of STREAMS."""
    return f"{container}.{stream}"


def snapshot_key(container: ContainerId, attempt: int) -> str:
    """A fresh root file system for every start of a container."""
    return f"{container}-{attempt}"
