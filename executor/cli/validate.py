"""`validate`: what the executor and the master would say to a TaskInfo, a task group, an ExecutorInfo or a pod."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from executor import bounded_json
from executor.bounded_json import JsonBoundError
from executor.cli import output
from executor.cli.session import json_option
from executor.errors import InvalidTask, NotFound, reason
from executor.mesos import master_rules

if TYPE_CHECKING:
    from executor.spec.model import PodSpec


@click.command("validate")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@json_option
def command(file: Path, *, as_json: bool) -> None:
    """Check FILE (- for stdin) as the master and the executor would.

    It is a TaskInfo (with its executor or without), a group as {"executor": ..., "tasks": [...]} or as the list of its
    tasks, an ExecutorInfo, or a pod. JSON or YAML. What the file does not say is left out: a pod alone has no class, no
    role and no tasks, for those are its task's.
    """
    document = _read(file)
    if isinstance(document, dict) and "executor_id" in document and "task_id" not in document:
        summary = _executor(document)
    else:
        summary = _pod(document)
    if as_json:
        output.json_document({"valid": True, **summary})
    else:
        output.fields(summary.items())


def _pod(document: Any) -> dict[str, Any]:
    from executor.spec.launch import parse_launch

    tasks, group = _launch(document)
    executor = document.get("executor") if isinstance(document, dict) else None
    if executor is not None:
        _check_form(executor, "executor")
    try:
        found = master_rules.faults(tasks, executor if group else None, group=group, complete=False)
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # malformed: what follows names the field
        found = [InvalidTask(f"cannot be read: {error!r}", hint="it must be Mesos v1 JSON")]
        parse_launch(tasks, group=group)
    if found:
        raise found[0]
    pod = parse_launch(tasks, group=group)
    of_task = {"class": str(pod.pod_class), "role": pod.role, "tasks": list(pod.task_ids)}
    return {
        "kind": "pod",
        "name": pod.name,
        "namespace": pod.namespace,
        **({} if _is_pod(document) else of_task),
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


def _launch(document: Any) -> tuple[Sequence[dict[str, Any]], bool]:
    """The tasks as a LAUNCH or LAUNCH_GROUP would bring them; a bare pod gets a task around it."""
    if isinstance(document, dict) and isinstance(document.get("tasks"), list):
        return document["tasks"], True
    if isinstance(document, list) and document and all(isinstance(each, dict) for each in document):
        return document, True
    if _is_pod(document):
        data = base64.b64encode(json.dumps(document).encode()).decode()
        return [_task_around(data)], False
    if isinstance(document, dict) and "task_id" in document:
        return [document], False
    raise InvalidTask(
        "is neither a TaskInfo, a task group, an ExecutorInfo nor a pod", hint="see mesos-pod-executor validate --help"
    )


def _is_pod(document: Any) -> bool:
    return isinstance(document, dict) and document.get("kind") == "Pod"


def _task_around(data: str) -> dict[str, Any]:
    resource = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": {"role": "*"}}
    memory = {**resource, "name": "mem", "scalar": {"value": 32.0}}
    return {
        "name": "validate",
        "task_id": {"value": "validate"},
        "agent_id": {"value": "validate"},
        "resources": [resource, memory],
        "data": data,
    }


def _executor(document: dict[str, Any]) -> dict[str, Any]:
    """An ExecutorInfo by itself, and which pods it may then run."""
    _check_form(document, "")
    found = master_rules.executor_faults(document, group=False)
    if found:
        raise found[0]
    cpus = [resource.get("revocable") for resource in document.get("resources", ()) if resource["name"] == "cpus"]
    pods = "both classes, by LAUNCH" if not cpus else "regular pods" if cpus[0] is None else "revocable pods"
    groups = not master_rules.executor_faults(document, group=True)
    return {"kind": "executor", "for": pods, "launch_group": groups}


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


def _read(file: Path) -> Any:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFound("no such file", subject=str(file), hint="name a file, or - for standard input") from error
    except (OSError, UnicodeDecodeError) as error:
        told = reason(error)
        raise InvalidTask(f"cannot be read: {told}", subject=str(file), hint="name a file of text") from error
    try:
        return bounded_json.loads(text, bounded_json.RECORD)
    except JsonBoundError as error:
        raise InvalidTask(str(error), subject=str(file)) from error
    except ValueError:
        return _yaml(text, file)


def _yaml(text: str, file: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except RecursionError as error:
        raise InvalidTask("nests too deeply", subject=str(file)) from error
    except ValueError as error:
        raise _unreadable(text, file) from error
    except yaml.YAMLError as error:
        raise InvalidTask(
            f"is neither JSON nor YAML: {getattr(error, 'problem', None) or error}",
            subject=f"{file}{_position(error)}",
            hint="see mesos-pod-executor validate --help",
        ) from error


def _unreadable(text: str, file: Path) -> InvalidTask:
    """A number or a date has the right form, and yet no value."""
    if (found := re.search(f"[0-9]{{{bounded_json.DIGITS_MAX + 1}}}", text)) is None:
        return InvalidTask("has a number or a date that has no value", subject=str(file), hint="quote it")
    line = text.count("\n", 0, found.start()) + 1
    return InvalidTask(f"is a number with more than {bounded_json.DIGITS_MAX} digits", subject=f"{file}:{line}")


def _position(error: Exception) -> str:
    """Where it stopped, as compilers write it; empty if that is not known."""
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""
