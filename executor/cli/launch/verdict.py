"""What the executor and the master would say to a file: the judgement behind `validate`.

A pod is read from the bytes of the file by the same functions that read `TaskInfo.data` at a launch; a task, a group
and an ExecutorInfo by those that read a LAUNCH, and by the rules of the master.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from executor.errors import InvalidTask
from executor.mesos import master_rules
from executor.spec import document as manifest
from executor.spec.bounds import SUBJECT as DATA

if TYPE_CHECKING:
    from executor.spec.model import PodSpec, Policy

FILE_MAX_BYTES: Final = 8 << 20
"""A task group with pods in its data is larger than a pod."""

_HELP: Final = "see mesos-pod-executor validate --help"


@dataclass(frozen=True)
class Verdict:
    """`without_effect` are paths of fields that change nothing here; `summary` is what the file describes, if it is
    valid.
    """

    faults: tuple[InvalidTask, ...] = ()
    without_effect: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)


def of(raw: bytes, policy: Policy) -> Verdict:
    """Of the bytes of a file: a TaskInfo, a group, an ExecutorInfo, or what may be a task's data. `policy` is what a
    node's configuration says of launches.
    """
    try:
        found = manifest.values(raw, most_bytes=FILE_MAX_BYTES)
        if len(found) == 1 and (judge := _mesos(found[0])) is not None:
            return judge(found[0], policy)
        return _pod(raw, policy)
    except InvalidTask as error:
        return Verdict(tuple(_of_file(fault) for fault in error.faults))


def _of_file(fault: InvalidTask) -> InvalidTask:
    """The file is no TaskInfo's data yet."""
    if fault.subject != DATA:
        return fault
    return InvalidTask(fault.message, hint=_HELP if fault.hint in ("", manifest.HINT) else fault.hint)


def _mesos(document: Any) -> Callable[[Any, Policy], Verdict] | None:
    """What judges a document of Mesos; None for any other."""
    if isinstance(document, list):
        return _group if document and all(isinstance(each, dict) for each in document) else None
    if not isinstance(document, dict):
        return None
    if isinstance(document.get("tasks"), list):
        return _group
    if "task_id" in document:
        return _task
    if "executor_id" in document:
        return _executor
    return None if "kind" in document else _unknown


def _unknown(_: Any, __: Policy) -> Verdict:
    return Verdict((InvalidTask("is neither a TaskInfo, a task group, an ExecutorInfo nor a pod", hint=_HELP),))


def _pod(raw: bytes, policy: Policy) -> Verdict:
    """Without a task, a pod has no class and no role, and no resources that it must fit into."""
    from executor.spec.launch import parse_pod

    pod = parse_pod(base64.b64encode(raw).decode(), policy=policy)
    return Verdict((), pod.without_effect, _summary(pod, None))


def _task(document: dict[str, Any], policy: Policy) -> Verdict:
    return _launch([document], document.get("executor"), policy, group=False)


def _group(document: dict[str, Any] | list[Any], policy: Policy) -> Verdict:
    if isinstance(document, list):
        return _launch(document, None, policy, group=True)
    return _launch(document["tasks"], document.get("executor"), policy, group=True)


def _launch(tasks: Sequence[Any], executor: Any, policy: Policy, *, group: bool) -> Verdict:
    from executor.spec.launch import parse_launch

    if executor is not None:
        _check_form(executor, "executor")
    faults = list(_of_master(tasks, executor, group=group))
    try:
        pod = parse_launch(tasks, group=group, policy=policy)
        summary = _summary(pod, executor)
    except InvalidTask as error:
        known = {fault.subject for fault in faults}
        return Verdict((*faults, *(fault for fault in error.faults if fault.subject not in known)))
    of_task = {"class": str(pod.pod_class), "role": pod.role, "tasks": list(pod.task_ids)}
    return Verdict(tuple(faults), pod.without_effect, {} if faults else summary | of_task)


def _of_master(tasks: Sequence[Any], executor: Any, *, group: bool) -> Sequence[InvalidTask]:
    try:
        return master_rules.faults(tasks, executor if group else None, group=group, complete=False)
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()  # it is malformed, and the executor's own reading names the field


def _summary(pod: PodSpec, executor: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "kind": "pod",
        "name": pod.name,
        "namespace": pod.namespace,
        "containers": [container.name for container in pod.containers],
        "network": _network(pod, executor),
    }


def _network(pod: PodSpec, executor: Mapping[str, Any] | None) -> str:
    """As far as the file tells: what the ExecutorInfo says of its own network, and what the node's default network is,
    decides. Raises InvalidTask for a network that cannot be had from where the executor is known to be.
    """
    from executor.pod.network.executor_network import OwnNetwork, networks

    own = networks(executor or {})
    if own:
        OwnNetwork("", names=own).check(pod)
    if pod.host_network:
        return "the node's"
    wished = [wish.name or "the node's default network" for wish in pod.networks]
    if wished:
        return ", ".join(wished) + ("" if executor else ", if the ExecutorInfo names no network")
    if own:
        return f"the executor's own, on {', '.join(own)}"
    return "the node's default network ([cni] default_network), or else the executor's own"


def _executor(document: dict[str, Any], _: Policy) -> Verdict:
    """An ExecutorInfo by itself, and which pods it may then run."""
    _check_form(document, "")
    if faults := master_rules.executor_faults(document, group=False):
        return Verdict(tuple(faults))
    cpus = [resource.get("revocable") for resource in document.get("resources", ()) if resource["name"] == "cpus"]
    pods = "both classes, by LAUNCH" if not cpus else "regular pods" if cpus[0] is None else "revocable pods"
    groups = not master_rules.executor_faults(document, group=True)
    return Verdict(summary={"kind": "executor", "for": pods, "launch_group": groups})


def _check_form(executor: Any, where: str) -> None:
    """Raises InvalidTask, below `where`, for what is no ExecutorInfo in Mesos v1 JSON."""
    import msgspec

    from executor.mesos.executorinfo import ExecutorInfo

    try:
        msgspec.convert(executor, ExecutorInfo)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        subject = (where + path.rstrip("`")).lstrip(".") or "ExecutorInfo"
        raise InvalidTask(message.lower(), subject=subject, hint="see mesos-pod-executor executor-info") from error
