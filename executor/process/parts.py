"""The parts of the executor, and what each one is given: the only place where they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.disk import task_sandboxes
from executor.dispatch.admission import Admission
from executor.dispatch.dispatcher import Dispatcher, Parts
from executor.dispatch.executor_end import ExecutorEnd
from executor.dispatch.launch_reader import LaunchReader
from executor.output.endedlogs import EndedLogs, Rest
from executor.pod import launch_policy
from executor.pod.disk.watch import Watch
from executor.pod.exits.router import ExitRouter
from executor.pod.listing import Listing
from executor.pod.object_updates import ObjectUpdates
from executor.pod.resources.resizes import Resizes
from executor.pod.resources.weight_guard import WeightGuard
from executor.pod.table import Pods
from executor.reporting.reporter import Reporter
from executor.revocation.messages import FrameworkMessages
from executor.revocation.receipts import Receipts
from executor.revocation.revoker import Listeners, Revoker

if TYPE_CHECKING:
    from executor.mesos.driver import Driver
    from executor.mesos.environment import Environment
    from executor.pod.node import Node
    from executor.revocation.governor import Governor


def assemble(node: Node, environment: Environment, driver: Driver) -> Dispatcher:
    """The executor on an opened node, not running yet. Raises InvalidConfig."""
    config = node.config
    executor_end, reporter = ExecutorEnd(environment.shutdown_grace_s), Reporter(driver)
    pods = Pods(node, reporter.report)
    launch_reader = LaunchReader(launch_policy.of(config.pods), Admission(node, pods).accept, reporter.refuse)
    pods.coming = launch_reader
    receipts = Receipts(driver.message)
    listeners = Listeners(
        receipts.give, before=launch_reader.flush, proven=launch_reader.revoked, shut_down=executor_end.begin
    )
    revoker = Revoker(config.revocation, node.tree, node.victims_boost, pods, listeners)
    governor = _governor(node, revoker, pods)
    guard = WeightGuard(node.guarded, pods)
    for listener in (*([governor.pods_changed] if governor is not None else []), guard.check):
        pods.on_change(listener)
    others = {"update": ObjectUpdates(pods).take, "resize": Resizes(pods, node.tree).take, "list": Listing(pods).take}
    parts = Parts(
        driver=driver,
        reporter=reporter,
        executor_end=executor_end,
        launch_reader=launch_reader,
        pods=pods,
        revoker=revoker,
        messages=FrameworkMessages(revoker, receipts, driver.message, others),
        exits=ExitRouter(node.containerd, pods),
        guard=guard,
        disk=Watch(node, pods),
        ended_logs=EndedLogs(config.retention, Rest(task_sandboxes.size_bytes, task_sandboxes.remove)),
        governor=governor,
    )
    return Dispatcher(node, environment, parts)


def _governor(node: Node, revoker: Revoker, pods: Pods) -> Governor | None:
    """None: the node is not watched for pressure."""
    if not node.config.pressure.enabled:
        return None
    from executor.revocation.governor import govern

    return govern(node.config, node.tree, revoker, pods)
