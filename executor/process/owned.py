"""What this executor owns on its node, opened at its start and given back at its end: its claim, its cgroups, its
connection to containerd, its log writer, and the adapters that work with them.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from executor import log as logs
from executor.config import Config
from executor.mesos.environment import Environment
from executor.names import PodClass
from executor.node import claims as owners
from executor.node.ended_executors import MesosNames
from executor.process import own_cgroups

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.cni import Cni
    from executor.containerd import Containerd
    from executor.dns import Names
    from executor.images.images import Images
    from executor.node.shim_group import ShimGroup
    from executor.node.shims import Shims
    from executor.output.outputs import Outputs
    from executor.pod.node import Node

log = logs.get_logger(__name__)

CONNECT_S = 45.0
"""How long containerd may take to come up; within the agent's 60 s for an executor's registration."""


async def open_node(config: Config, environment: Environment, stack: AsyncExitStack) -> Node:
    """What this executor owns on the node; `stack` gives it back. Raises Failure."""
    from executor.mesos import agent_flags
    from executor.netlink import NetworkWatch
    from executor.node.reaping import watcher
    from executor.node.reaping.leaving import Leaving
    from executor.node.shim_group import ShimGroup
    from executor.node.shims import Shims
    from executor.pod.network.executor_network import OwnNetwork
    from executor.pod.node import Node
    from executor.pod.resources.classes import Classes
    from executor.pod.resources.cpu_boost import CpuBoost

    root = own_cgroups.root(config.cgroups.root, environment.container_id)
    named = (config.cgroups.root, environment.container_id, root)
    claim = stack.enter_context(
        owners.claim(
            Path(config.node.run_dir),
            environment.container_id,
            root,
            state_dir=config.node.state_dir,
            hosts_dir=config.dns.hosts_dir,
            shim_groups=(owners.shims_group(*named), owners.regular_shims_group(*named)),
            mesos=MesosNames(environment.executor_id, environment.framework_id, str(environment.sandbox)),
        )
    )
    watcher.start(config, environment.container_id, claim, stack, kill_file=own_cgroups.kill_file(root))
    leaving = Leaving(config, environment.container_id, claim)
    leaving.mark()
    tree = own_cgroups.enter(config.cgroups, root, claim, stack)
    shims = Shims(tree.hierarchies, owners.shims_group(*named), claim.identity)
    regular_shims = ShimGroup(tree.hierarchies, owners.regular_shims_group(*named), claim.identity)
    for each in (shims, regular_shims):
        stack.push_async_callback(_remove_shims, each, claim)
    containerd = await _connect(config, stack)
    stack.push_async_callback(leaving.leave, containerd)
    outputs = await stack.enter_async_context(_outputs(config, environment))
    return Node(
        config=config,
        owner=environment.container_id,
        claim=claim,
        mesos_sandbox=environment.sandbox,
        network=OwnNetwork(environment.agent_endpoint.rpartition(":")[0], config.cni.default_network),
        containerd=containerd,
        images=_images(config, containerd, stack),
        cni=_cni(config, environment),
        networks=NetworkWatch(),
        tree=tree,
        classes=Classes(tree, pids_max=config.pods.pids_max, role_limits=config.roles.limits),
        names=_names(config, environment, claim) if config.dns.enabled else None,
        shims=shims,
        runtimes=await asyncio.to_thread(_runtimes, config, tree),
        regular_shims=regular_shims,
        outputs=outputs,
        read_agent_flags=partial(agent_flags.read, environment.agent_endpoint),
        victims_boost=CpuBoost(tree.subtree(PodClass.REVOCABLE), tree.subtree(PodClass.REGULAR)),
        shims_boost=CpuBoost(shims, tree.subtree(PodClass.REGULAR)),
        launching={pod_class: asyncio.Semaphore(config.pods.max_launching) for pod_class in PodClass},
    )


def _runtimes(config: Config, tree: Tree) -> dict[PodClass, str]:
    from cgroups import devices
    from executor.node.runtime_choice import RUNC, chosen
    from executor.pod.container.closed_devices import CLOSED

    if why := devices.refusal(tree.hierarchies, tuple(CLOSED)):
        log.warning("devices of the node stay open to containers", code="executor.devices_open", error=why)
    regular = chosen(config.containerd.runtime, tree.hierarchies)
    if regular.program != RUNC:
        log.info("containers get a runtime", code="executor.runtime", runtime=regular.program, reason=regular.why)
    revocable = config.containerd.runtime_revocable
    other = chosen(revocable, tree.hierarchies) if revocable else regular
    return {PodClass.REGULAR: regular.program, PodClass.REVOCABLE: other.program}


async def _remove_shims(shims: Shims | ShimGroup, claim: owners.Claim) -> None:
    from cgroups import CgroupError

    try:
        await shims.remove()
    except CgroupError as error:
        log.warning("could not remove the own cgroups", code="executor.cgroups_left", error=error)
        claim.keep()


def _images(config: Config, containerd: Containerd, stack: AsyncExitStack) -> Images:
    from executor.images.images import Images

    images = Images(containerd, config)
    stack.push_async_callback(images.close)
    images.keep_room()
    return images


async def _connect(config: Config, stack: AsyncExitStack) -> Containerd:
    from executor.containerd import Containerd
    from executor.errors import ContainerdUnavailable

    deadline = asyncio.get_running_loop().time() + CONNECT_S
    while True:
        try:
            containerd = await Containerd.connect(config.containerd.address, config.containerd.namespace)
        except ContainerdUnavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("containerd does not answer yet", code="containerd.unavailable", error=error)
            await asyncio.sleep(0.5)
        else:
            stack.push_async_callback(containerd.close)
            return containerd


def _outputs(config: Config, environment: Environment) -> Outputs:
    from executor.output.outputs import Outputs

    directory = owners.streams_parent(config.node.run_dir) / environment.container_id
    return Outputs(
        directory, max_bytes=config.pods.log_max_bytes, files=config.pods.log_files, cri=config.pods.log_format == "cri"
    )


def _cni(config: Config, environment: Environment) -> Cni:
    from executor.cni import Cni

    plugin_dirs = [Path(each) for each in config.cni.plugin_dirs]
    records = owners.cni_parent(config.node.state_dir) / environment.container_id
    return Cni(Path(config.cni.config_dir), plugin_dirs, records, config.cni.timeout_s)


def _names(config: Config, environment: Environment, claim: owners.Claim) -> Names:
    from executor.dns import HostsDir, Names
    from executor.dns.names import Zones

    zones = Zones(config.dns.domain, config.dns.cluster_domain)
    hosts = HostsDir(Path(config.dns.hosts_dir))
    return Names(hosts, environment.container_id, environment.agent_id, zones, claim.identity)
