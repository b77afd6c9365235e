"""The JSON documents of the control socket: what the executor knows already, and the use of cgroups now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from executor.disk import limits
from executor.log import timestamp
from executor.names import PodClass, PodId
from executor.pod.life.model import State
from executor.pod.node import STREAMS, log_name
from executor.revocation.candidates import revocable
from executor.spec.model import ContainerKind

if TYPE_CHECKING:
    from executor.dispatch.dispatcher import Dispatcher
    from executor.images.images import Pulling
    from executor.netlink import NetworkWatch
    from executor.pod.life.model import Container
    from executor.pod.runner import PodRunner


def executor(dispatcher: Dispatcher) -> dict[str, Any]:
    """This executor, as `GET /v1/executor`. `pressure` is there with a governor only."""
    environment = dispatcher.environment
    counts = Counter(runner.spec.pod_class for runner in dispatcher.pods)
    document: dict[str, Any] = {
        "executor": environment.executor_id,
        "framework": environment.framework_id,
        "agent": environment.agent_id,
        "mesos_container": environment.container_id,
        "subscribed": dispatcher.subscribed is not None,
        "unacknowledged": dispatcher.unacknowledged,
        "cgroup": dispatcher.node.tree.root.path,
        "pods": {str(kind): counts[kind] for kind in PodClass},
    }
    governor = dispatcher.governor
    return document if governor is None else {**document, "pressure": governor.view()}


def pod(runner: PodRunner, executor: str, network_faults: Sequence[str] = ()) -> dict[str, Any]:
    """One row of `ps`. `network_faults`: how its network is not as its CNI plugins made it."""
    spec = runner.spec
    document: dict[str, Any] = {
        "pod": runner.id,
        "name": spec.name,
        "namespace": spec.namespace,
        "class": spec.pod_class,
        "role": spec.role,
        "state": _state(runner),
        "tasks": list(spec.task_ids),
        "containers": [_container(runner, container) for container in runner.pod.containers.values()],
        "ips": list(runner.pod.ips),
        "cgroup": runner.sandbox.cgroup.path,
        "started_at": timestamp(datetime.fromtimestamp(runner.started_at, UTC)),
        "age_s": round(runner.age_s, 1),
        "executor": executor,
        "labels": dict(spec.labels),
    }
    if runner.ended_at is not None:
        document["ended_at"] = timestamp(datetime.fromtimestamp(runner.ended_at, UTC))
        document["ended_age_s"] = round(max(0.0, time.time() - runner.ended_at), 1)
    if waiting := runner.containers.images.waiting:
        document["pulling"] = [_pulling(each) for each in waiting]
    if runner.sandbox.disk is not None:
        document["disk"] = runner.sandbox.disk.view()
    if runner.sandbox.logs_removed:
        document["logs_removed"] = runner.sandbox.logs_removed
    health = set(runner.pod.healthy.values()) - {None}
    if health:
        document["healthy"] = health == {True}
    if network_faults:
        document["network_faults"] = list(network_faults)
    if runner.pod.stuck:
        document["stuck_pids"] = list(runner.pod.stuck)
    if runner.pod.outcome is not None:
        outcome = runner.pod.outcome
        document["outcome"] = {"state": outcome.state, "reason": outcome.reason, "message": outcome.message}
    return document


def _state(runner: PodRunner) -> str:
    """`pulling` while it waits for its images: nothing of the pod is there yet."""
    state = runner.pod.state
    return "pulling" if state is State.SETTING_UP and runner.containers.images.waiting else state


def _pulling(pulling: Pulling) -> dict[str, Any]:
    progress = pulling.progress
    return {
        "image": pulling.image,
        "phase": "backing-off" if pulling.error else progress.phase,
        "bytes": progress.bytes,
        "total_bytes": progress.total_bytes,
        "error": pulling.error,
    }


def _container(runner: PodRunner, container: Container) -> dict[str, Any]:
    """`kind` is there for init containers and sidecars."""
    name, directory = container.name, runner.sandbox.directory
    document = {
        "name": name,
        "id": runner.containers.id(name),
        "state": container.phase,
        "pid": container.pid,
        "image": container.spec.image,
        "started": container.started,
        "ready": runner.pod.is_ready(container),
        "exit_code": container.exit_code,
        "restarts": container.restarts,
        "message": container.stop_message or container.message,
        "probes": {kind: verdict.ok for kind, verdict in container.verdicts.items()},
        "log": {stream: str(directory / log_name(name, stream)) for stream in STREAMS},
    }
    if container.spec.kind is not ContainerKind.MAIN:
        document["kind"] = container.spec.kind
    return document


def inspection(runner: PodRunner, executor: str, network_faults: Sequence[str] = ()) -> dict[str, Any]:
    """Everything about one pod; `network_faults` as for `pod`."""
    document = pod(runner, executor, network_faults)
    spec = runner.spec
    document["annotations"] = dict(spec.annotations)
    document["resources"] = {"cpus": spec.resources.cpus, "mem_bytes": spec.resources.mem_bytes}
    if (limit := limits.pod_limit(spec)) is not None:
        document["resources"]["disk_bytes"] = limit[0]
    document["host_ports"] = [asdict(each) for each in spec.host_ports]
    document["containers"] = [{**each, **_limits(runner, each["name"])} for each in document["containers"]]
    document["restart_policy"] = spec.restart_policy
    document["termination_grace_s"] = spec.termination_grace_s
    document["hostname"] = spec.hostname
    document["netns"] = str(runner.sandbox.netns) if runner.sandbox.netns else None
    document["networks"] = [
        {"network": each.network, "ifname": each.ifname, "ips": list(each.ips), "mac": each.mac}
        for each in runner.sandbox.attachments
    ]
    document["phases_ms"] = runner.phases_ms
    document["usage"] = usage(runner)
    return document


def _limits(runner: PodRunner, name: str) -> dict[str, Any]:
    """A container's own limits, null for none, and how often the kernel killed one of its processes for memory."""
    status = runner.pod.containers[name]
    limits = next(one.limits for one in runner.spec.containers if one.name == name)
    return {
        "limits": {"cpus": limits.cpus, "mem_bytes": limits.memory_bytes, "ephemeral_bytes": limits.ephemeral_bytes},
        "oom_killed": status.oom.level if status.oom is not None else None,
        "oom_kills": status.oom_kills,
    }


def candidates(living: Iterable[PodRunner]) -> list[dict[str, Any]]:
    """What a lender ranks revocable pods by; see executor.revocation.selection.Candidate."""
    return [
        {
            "pod": each.pod,
            "tasks": list(each.tasks),
            "priority": each.priority,
            "lost_work_s": round(each.lost_work_s, 3),
            "overshoot": round(each.overshoot, 3),
            "ending": each.ending,
        }
        for each in revocable(living)
    ]


async def kernel_network(networks: NetworkWatch, pod: PodId) -> dict[str, Any] | None:
    """What the kernel has in the pod's own network namespace now; None if it has none, or it cannot be read."""
    try:
        found = await networks.state(pod)
    except OSError:
        return None
    return None if found is None else {**found[0].document(), "differences": list(found[1])}


def usage(runner: PodRunner) -> dict[str, Any] | None:
    """The use of the pod's cgroup now; None when it has none."""
    if not runner.pod.running:
        return None
    stat = runner.sandbox.cgroup.stat()
    return {"cpu_usage_usec": stat.cpu_usage_usec, "memory_bytes": stat.memory_bytes, "pids": stat.pids}
