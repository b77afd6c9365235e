"""What the executor and the master would say to a file: the judgement behind `validate`.

A pod is read from the bytes of the file by the same functions that read `TaskInfo.data` at a launch; a task, a group
and an ExecutorInfo by those that read a LAUNCH, and by the rules of the master.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from executor.errors import InvalidTask
from executor.mesos import master_rules
from executor.spec.reading import document as manifest
from executor.spec.reading.bounds import SUBJECT as DATA

if TYPE_CHECKING:
    from executor.config import Config
    from executor.spec.model import PodSpec, Policy

FILE_MAX_BYTES: Final = 8 << 20
"""A task group with pods in its data is larger than a pod."""

_NO_DEFAULT: Final = "the executor's own (no [cni] default_network); the node's only for a role with host_network"
_HELP: Final = "see mesos-pod-executor validate --help"


@dataclass(frozen=True)
class FileCheck:
    """`without_effect` are paths of fields that change nothing here; `summary` is what the file describes, if it is
    valid.
    """

    faults: tuple[InvalidTask, ...] = ()
    without_effect: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """What a node's configuration says of launches. `role` is that of a pod without a task."""

    launches: Policy
    config: Config
    role: str = "*"


def of(raw: bytes, rules: Rules) -> FileCheck:
    """What is found in the bytes of a file: a TaskInfo, a group, an ExecutorInfo, or what may be a task's data."""
    try:
        found = manifest.values(raw, most_bytes=FILE_MAX_BYTES)
        if len(found) == 1 and (judge := _mesos(found[0])) is not None:
            return judge(found[0], rules)
        return _pod(raw, rules)
    except InvalidTask as error:
        return FileCheck(tuple(_of_file(fault) for fault in error.faults))


def _of_file(fault: InvalidTask) -> InvalidTask:
    """The file is not a TaskInfo's data yet."""
    if fault.subject != DATA:
        return fault
    return InvalidTask(fault.message, hint=_HELP if fault.hint in ("", manifest.HINT) else fault.hint)


def _mesos(document: Any) -> Callable[[Any, Rules], FileCheck] | None:
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


def _unknown(_: Any, __: Rules) -> FileCheck:
    return FileCheck((InvalidTask("is neither a TaskInfo, a task group, an ExecutorInfo nor a pod", hint=_HELP),))


def _pod(raw: bytes, rules: Rules) -> FileCheck:
    """Without a task, a pod has no class and no resources that it must fit into."""
    from executor.spec.launch import parse_pod

    pod = parse_pod(base64.b64encode(raw).decode(), policy=rules.launches)
    faults = _forbidden(pod, rules, rules.role, None)
    return FileCheck(faults, pod.without_effect, {} if faults else _summary(pod, rules, rules.role, None))


def _task(document: dict[str, Any], rules: Rules) -> FileCheck:
    return _launch([document], document.get("executor"), rules, group=False)


def _group(document: dict[str, Any] | list[Any], rules: Rules) -> FileCheck:
    if isinstance(document, list):
        if all("data" in task for task in document):
            return _each(document, rules)
        return _launch(document, None, rules, group=True)
    return _launch(document["tasks"], document.get("executor"), rules, group=True)


def _each(tasks: Sequence[dict[str, Any]], rules: Rules) -> FileCheck:
    """What is found in the list that `task` prints: each one has a pod in its data and is launched alone."""
    found = [_task(task, rules) for task in tasks]
    if len(found) == 1:
        return found[0]
    faults = [
        InvalidTask(fault.message, subject=f"tasks[{index}].{fault.subject}", hint=fault.hint)
        for index, each in enumerate(found)
        for fault in each.faults
    ]
    without_effect = sorted({path for each in found for path in each.without_effect})
    names = [name for each in found for name in each.summary.get("tasks", ())]
    return FileCheck(tuple(faults), tuple(without_effect), {} if faults else {"kind": "pods", "tasks": names})


def _forbidden(pod: PodSpec, rules: Rules, role: str, executor: Mapping[str, Any] | None) -> tuple[InvalidTask, ...]:
    """What the policy of the role does not allow. Where no ExecutorInfo says so, the executor is not taken to be on the
    node's network.
    """
    from executor.pod.network.executor_network import networks
    from executor.policy import node_facts
    from executor.policy.violations import violations

    facts = node_facts.of(rules.config, own_networks=networks(executor or {}))
    if executor is None:
        facts = replace(facts, shares_network=False)
    return tuple(each.fault for each in violations(pod, rules.config.policy.of(role), facts))


def _launch(tasks: Sequence[Any], executor: Any, rules: Rules, *, group: bool) -> FileCheck:
    from executor.spec.launch import parse_launch

    if executor is not None:
        _check_form(executor, "executor")
    faults = list(_of_master(tasks, executor, group=group))
    try:
        pod = parse_launch(tasks, group=group, policy=rules.launches)
        faults += _forbidden(pod, rules, pod.role, executor)
        summary = _summary(pod, rules, pod.role, executor)
    except InvalidTask as error:
        known = {fault.subject for fault in faults}
        return FileCheck((*faults, *(fault for fault in error.faults if fault.subject not in known)))
    of_task = {"class": str(pod.pod_class), "role": pod.role, "tasks": list(pod.task_ids)}
    return FileCheck(tuple(faults), pod.without_effect, {} if faults else summary | of_task)


def _of_master(tasks: Sequence[Any], executor: Any, *, group: bool) -> Sequence[InvalidTask]:
    try:
        return master_rules.faults(tasks, executor if group else None, group=group, complete=False)
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()  # it is malformed, and the executor's own reading names the field


def _summary(pod: PodSpec, rules: Rules, role: str, executor: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "kind": "pod",
        "name": pod.name,
        "namespace": pod.namespace,
        "containers": [container.name for container in pod.containers],
        "network": _network(pod, rules.config.cni.default_network, executor),
        "policy": str(rules.config.policy.of(role)),
    }


def _network(pod: PodSpec, default: str, executor: Mapping[str, Any] | None) -> str:
    """As far as the file tells: what the ExecutorInfo says of its own network, and what the node's default network is,
    decides. Raises InvalidTask for a network that is not available where the executor is known to be.
    """
    from executor.pod.network.executor_network import OwnNetwork, networks

    own = networks(executor or {})
    if own:
        OwnNetwork("", names=own).check(pod)
    default = f"the node's default network, {default}" if default else ""
    if pod.host_network:
        return "the node's"
    wished = [wish.name or default or "the node's default network" for wish in pod.networks]
    if wished:
        return ", ".join(wished) + ("" if executor else ", if the ExecutorInfo names no network")
    if own:
        return f"the executor's own, on {', '.join(own)}"
    return default or _NO_DEFAULT


def _executor(document: dict[str, Any], _: Rules) -> FileCheck:
    """An ExecutorInfo by itself, and which pods it may then run."""
    _check_form(document, "")
    if faults := master_rules.executor_faults(document, group=False):
        return FileCheck(tuple(faults))
    cpus = [resource.get("revocable") for resource in document.get("resources", ()) if resource["name"] == "cpus"]
    pods = "both classes, by LAUNCH" if not cpus else "regular pods" if cpus[0] is None else "revocable pods"
    groups = not master_rules.executor_faults(document, group=True)
    return FileCheck(summary={"kind": "executor", "for": pods, "launch_group": groups})


def _check_form(executor: Any, where: str) -> None:
    """Raises InvalidTask, below `where`, for what is not an ExecutorInfo in Mesos v1 JSON."""
    import msgspec

    from executor.mesos.executorinfo import ExecutorInfo

    manifest.vet(executor, subject=where or "ExecutorInfo")
    try:
        msgspec.convert(executor, ExecutorInfo)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        subject = (where + path.rstrip("`")).lstrip(".") or "ExecutorInfo"
        raise InvalidTask(message.lower(), subject=subject, hint="see mesos-pod-executor executor-info") from error
