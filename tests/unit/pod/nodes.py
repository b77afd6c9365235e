"""A node for the tests of what pods own there, below a directory: it needs no root, and is made of the real parts.

Its cgroups are plain directories, and at its containerd's socket there is tests/support/empty_containerd.py.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from cgroups import Hierarchies, Tree
from executor import config
from executor.cni import Cni
from executor.containerd import Containerd
from executor.dns import Names
from executor.images.images import Images
from executor.mesos.agent_flags import AgentFlags
from executor.names import MesosContainerId, PodClass
from executor.netlink import NetworkWatch
from executor.node import claims as owners
from executor.node.shims import Shims
from executor.output.outputs import Outputs
from executor.pod.network.executor_network import OwnNetwork
from executor.pod.node import Node
from executor.pod.resources.classes import Classes
from executor.pod.resources.cpu_boost import CpuBoost

OWNER = MesosContainerId("c")


async def opened(root: Path, stack: AsyncExitStack, names: Names | None = None) -> Node:
    """A node below `root`, of the parts that the executor itself opens; `stack` closes them."""
    text = f"""
        [containerd]
        address = "{root}/c.sock"
        [node]
        run_dir = "{root}/run"
        state_dir = "{root}/state"
        [policy]
        default = {{host_network = true}}
    """
    found = config.load(text, {})
    path = owners.own_root("", OWNER)
    for pod_class in PodClass:
        (root / "cgroup" / path.lstrip("/") / "pods" / pod_class).mkdir(parents=True)
    claim = stack.enter_context(owners.claim(root / "run", OWNER, path, state_dir=str(root / "state"), hosts_dir=""))
    tree = Tree(Hierarchies(unified=root / "cgroup"), path)
    containerd = await Containerd.connect(found.containerd.address, found.containerd.namespace)
    stack.push_async_callback(containerd.close)
    shims = Shims(tree.hierarchies, f"{path}/shims/{OWNER}", claim.identity)
    subtrees = {pod_class: tree.subtree(pod_class) for pod_class in PodClass}
    node = Node(
        config=found,
        owner=OWNER,
        claim=claim,
        mesos_sandbox=root / "sandbox",
        network=OwnNetwork("127.0.0.1", ""),
        containerd=containerd,
        images=Images(containerd, found),
        cni=Cni(root / "net.d", [], root / "cni", 1.0),
        networks=NetworkWatch(),
        tree=tree,
        classes=Classes(tree),
        names=names,
        shims=shims,
        outputs=Outputs(root / "streams", max_bytes=1 << 20, files=2),
        read_agent_flags=lambda: AgentFlags({}, 0.0),
        victims_boost=CpuBoost(subtrees[PodClass.REVOCABLE], subtrees[PodClass.REGULAR]),
        shims_boost=CpuBoost(shims, subtrees[PodClass.REGULAR]),
        launching={pod_class: asyncio.Semaphore(4) for pod_class in PodClass},
    )
    for turns in (node.removing, node.counting, node.owning):
        turns.start()
    return node
