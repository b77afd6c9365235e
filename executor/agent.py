"""The composer: which part is given which. The only module that knows every adapter.

Order matters twice. The driver subscribes first, while the rest is still being loaded: its events wait in its queue
until the dispatcher takes them. And everything on the node is given back before the last updates are sent, because
Mesos may end this process on those.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from executor import log as logs
from executor import owners
from executor.config import Config
from executor.config_executor import Ineffective, read_for_executor
from executor.errors import CgroupFailure, ExecutorError, Failure
from executor.mesos.environment import Environment
from executor.names import PodClass

if TYPE_CHECKING:
    from cgroups import Membership, Tree
    from executor.containerd import Containerd
    from executor.dns import Names
    from executor.pod.node import Node
    from executor.pod.shimgroup import ShimGroup
    from executor.pod.shims import Shims

log = logs.get_logger(__name__)

CONNECT_S = 45.0
"""How long containerd may take to come up; within the agent's 60 s for an executor's registration."""


def run(environ: Mapping[str, str], config_path: Path | None = None) -> int:
    """The executor, from its environment to its end; `config_path` is what its command line names. The process's exit
    status: 0, or 1 with one clear line in the log.
    """
    try:
        judged = read_for_executor(environ, config_path)
        logs.configure(judged.config.log)
        environment = Environment.take(os.environ)
        _watch_children_by_pidfd()
        asyncio.run(_serve(judged.config, environment, judged.ineffective))
    except ExecutorError as error:
        log.error("the executor cannot go on", code="executor.failed", error=error)
        return 1
    except BaseExceptionGroup as failures:
        from executor.pod.tasks import first_of

        log.error("the executor cannot go on", code="executor.failed", error=str(first_of(failures)))
        raise
    return 0


def _watch_children_by_pidfd() -> None:
    """Python 3.11 starts a thread for each child process (a CNI plugin) otherwise; later ones do this by themselves."""
    if sys.version_info < (3, 12):
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


async def _serve(config: Config, environment: Environment, ineffective: Sequence[Ineffective]) -> None:
    from executor.journal import Journal
    from executor.mesos.driver import Driver
    from executor.metrics.counters import Counters

    driver = Driver(environment)
    async with AsyncExitStack() as outer:
        journal = Journal(environment.sandbox / "journal.jsonl", max_bytes=config.log.journal_max_bytes)
        outer.callback(journal.close)
        outer.callback(logs.add_sink(journal.append))
        counters = Counters()
        outer.callback(logs.add_sink(counters.append))
        log.info(
            "executor starts",
            code="executor.started",
            executor=environment.executor_id,
            framework=environment.framework_id,
        )
        for each in ineffective:
            log.warning("a variable takes no effect", code="executor.variable_ineffective", **dataclasses.asdict(each))
        await outer.enter_async_context(driver)
        from executor.control import Server, socket_path
        from executor.dispatcher import Dispatcher
        from executor.metrics import endpoint
        from executor.routes import routes

        async with AsyncExitStack() as stack:
            node = await open_node(config, environment, stack)
            dispatcher = Dispatcher(node, environment, driver, lambda: _keep_clean(node))
            socket = socket_path(config.node.run_dir, environment.container_id)
            metrics = endpoint.Metrics(dispatcher, counters)
            await stack.enter_async_context(endpoint.port(config.control.metrics_port, metrics.answer))
            await stack.enter_async_context(Server(socket, routes(dispatcher, journal, metrics)))
            await dispatcher.run()
        await dispatcher.last_word()


async def open_node(config: Config, environment: Environment, stack: AsyncExitStack) -> Node:
    """What this executor owns on the node; `stack` gives it back. Raises Failure."""
    from executor.cni import Cni
    from executor.pod.classes import Classes
    from executor.pod.node import Node
    from executor.pod.ownnetwork import OwnNetwork
    from executor.pod.shimgroup import ShimGroup
    from executor.pod.shims import Shims
    from executor.pod.urgency import Urgency
    from executor.reaping import watcher
    from executor.reaping.leaving import Leaving

    root = _root(config, environment)
    named = (config.cgroups.root, environment.container_id, root)
    claim = stack.enter_context(
        owners.claim(
            Path(config.node.run_dir),
            environment.container_id,
            root,
            state_dir=config.node.state_dir,
            hosts_dir=config.dns.hosts_dir,
            shim_groups=(owners.shims_group(*named), owners.regular_shims_group(*named)),
        )
    )
    watcher.start(config, environment.container_id, claim, stack)
    leaving = Leaving(config, environment.container_id, claim)
    leaving.mark()
    tree = _tree(root, claim, stack)
    shims = Shims(tree.hierarchies, owners.shims_group(*named), claim.identity)
    regular_shims = ShimGroup(tree.hierarchies, owners.regular_shims_group(*named), claim.identity)
    for each in (shims, regular_shims):
        stack.push_async_callback(_remove_shims, each, claim)
    containerd = await _connect(config)
    stack.push_async_callback(containerd.close)
    stack.push_async_callback(leaving.leave, containerd)
    cni = Cni(
        Path(config.cni.config_dir),
        [Path(each) for each in config.cni.plugin_dirs],
        owners.cni_parent(config.node.state_dir) / environment.container_id,
        config.cni.timeout_s,
    )
    return Node(
        config=config,
        owner=environment.container_id,
        claim=claim,
        mesos_sandbox=environment.sandbox,
        network=OwnNetwork(environment.agent_endpoint.rpartition(":")[0], config.cni.default_network),
        containerd=containerd,
        cni=cni,
        tree=tree,
        classes=Classes(tree, pids_max=config.pods.pids_max, role_limits=config.roles.limits),
        names=_names(config, environment, claim) if config.dns.enabled else None,
        shims=shims,
        regular_shims=regular_shims,
        dying_urgency=Urgency(tree.subtree(PodClass.REVOCABLE), tree.subtree(PodClass.REGULAR)),
        shims_urgency=Urgency(shims, tree.subtree(PodClass.REGULAR)),
        launching={pod_class: asyncio.Semaphore(config.pods.max_launching) for pod_class in PodClass},
    )


async def _keep_clean(node: Node) -> None:
    """What executors of this node left that are dead, or die while this one lives, is released. Raises Failure."""
    from executor.neighbours import keep_clean
    from executor.reaper import reap

    async def settled() -> bool:
        """A dead executor's call may still be under way in containerd: after a reaping there is one more look."""
        try:
            result = await reap(node.config, node.containerd)
            return not result.failed and not result.owners
        except (ExecutorError, OSError) as error:
            log.warning("could not look for dead executors", code="executor.reap_failed", error=error)
            return False

    run_dir = Path(node.config.node.run_dir)
    try:
        await keep_clean(run_dir, node.owner, settled)
    except OSError as error:
        raise Failure(f"cannot be watched: {error}", subject=str(run_dir), mend="see fs.inotify in sysctl") from error


def _names(config: Config, environment: Environment, claim: owners.Claim) -> Names:
    from executor.dns import HostsDir, Names
    from executor.dns.names import Zones

    zones = Zones(config.dns.domain, config.dns.cluster_domain)
    hosts = HostsDir(Path(config.dns.hosts_dir))
    return Names(hosts, environment.container_id, environment.agent_id, zones, claim.identity)


def _tree(root: str, claim: owners.Claim, stack: AsyncExitStack) -> Tree:
    """The cgroups, with this process in its own leaf."""
    from cgroups import CgroupError, Hierarchies, Membership, Tree, qos
    from executor.pod.shimgroup import mark
    from executor.reaping.groups import ensure_parents

    try:
        tree = Tree(Hierarchies.discover(), root)
        stack.callback(_leave, tree, Membership.of(os.getpid()), claim)
        ensure_parents(tree.hierarchies, root)
        tree.executor.ensure(with_controllers=False)
        mark(tree.root, claim.identity)
        tree.executor.attach(os.getpid())
        for pod_class in PodClass:
            tree.subtree(pod_class).ensure()
        tree.executor.apply(qos.EXECUTOR_CPU)
    except CgroupError as error:
        raise CgroupFailure(str(error), mend="run `mesos-pod-executor doctor` on this node") from error
    return tree


async def _remove_shims(shims: Shims | ShimGroup, claim: owners.Claim) -> None:
    from cgroups import CgroupError

    try:
        await shims.remove()
    except CgroupError as error:
        log.warning("could not remove the own cgroups", code="executor.cgroups_left", error=error)
        claim.keep()


def _root(config: Config, environment: Environment) -> str:
    """The cgroup of this executor's Mesos container where the agent made one, else one of its own."""
    from cgroups import Membership

    for path in Membership.of(os.getpid()).paths.values():
        if path.endswith(f"/{environment.container_id}"):
            return path
    return owners.own_root(config.cgroups.root, environment.container_id)


def _leave(tree: Tree, before: Membership, claim: owners.Claim) -> None:
    """Back to where the agent started this process; then everything goes but the Mesos container's own groups."""
    from cgroups import Cgroup, CgroupError
    from executor.reaping.groups import remove_parents

    try:
        before.rejoin(tree.hierarchies)
        for group in (tree.pods, tree.executor):
            group.destroy()
        elsewhere = before.elsewhere(tree.hierarchies, tree.root_path)
        Cgroup(elsewhere, tree.root_path).destroy()
        remove_parents(elsewhere, tree.root_path)
    except CgroupError as error:
        log.warning("could not remove the own cgroups", code="executor.cgroups_left", error=error)
        claim.keep()


async def _connect(config: Config) -> Containerd:
    from executor.containerd import Containerd
    from executor.errors import ContainerdUnavailable

    deadline = asyncio.get_running_loop().time() + CONNECT_S
    while True:
        try:
            return await Containerd.connect(config.containerd.address, config.containerd.namespace)
        except ContainerdUnavailable as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("containerd does not answer yet", code="containerd.unavailable", error=error)
            await asyncio.sleep(0.5)
