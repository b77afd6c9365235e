"""What the master refuses of a launch before any agent receives it, as TASK_ERROR. Pure.

Rules of Mesos 1.11.0 (src/master/validation.cpp), each tried on a real master; values are v1 JSON as frameworks send
it. Left out is what depends on the cluster's state: offers, the agent's id, ids that are in use. One rule is not the
master's own: a task group that names a task twice passes its validation and then ends the master itself (a failed
CHECK in Master::addTask), so it is refused here above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from executor.errors import InvalidTask

Json = Mapping[str, Any]

ID_MAX: Final = 255
GROUP_CPUS_MIN: Final = 0.01
GROUP_MEM_MIN_MIB: Final = 32
_CHECKS: Final = {"COMMAND": "command", "HTTP": "http", "TCP": "tcp"}
_PAIR: Final = "run revocable tasks under an ExecutorID of their own, or list none of that resource in the ExecutorInfo"


def faults(
    tasks: Sequence[Json], executor: Json | None, *, group: bool, framework_id: str = "", complete: bool = True
) -> list[InvalidTask]:
    """Everything that the master would refuse; it names the first one only. Empty: accepted.

    `executor` is the group's, or of the one task of a LAUNCH (which may have it inside). Not `complete`: the executor
    may still be added. `framework_id` is whose launch it is, if that is known.
    """
    found: list[InvalidTask] = []
    for index, task in enumerate(tasks):
        where = f"tasks[{index}]." if group else ""
        found += _task(task, where)
        found += _in_group(task, executor, where) if group else _alone(task, executor, complete=complete)
    owner = executor if executor is not None or group else next((task.get("executor") for task in tasks), None)
    if owner is not None:
        found += executor_faults(owner, group=group, framework_id=framework_id)
    found += _mixture(tasks, owner, group=group)
    if group:
        found += _twice(tasks)
        found += [] if executor is not None or not complete else [InvalidTask("is missing", subject="executor")]
    return found


def executor_faults(executor: Json, *, group: bool, framework_id: str = "") -> list[InvalidTask]:
    """The same for an ExecutorInfo alone."""
    found = [*_id(executor.get("executor_id"), "executor.executor_id"), *_type(executor, group=group)]
    found += _duration(executor.get("shutdown_grace_period"), "executor.shutdown_grace_period")
    found += _resources(executor.get("resources", ()), "executor.resources")
    found += _container(executor.get("container"), "executor.container", group=group)
    own = (executor.get("framework_id") or {}).get("value", "")
    if framework_id and own and own != framework_id:
        found.append(InvalidTask(f"is {own}, but {framework_id} launches it", subject="executor.framework_id"))
    return found + (_group_minimum(executor.get("resources", ())) if group else [])


def _task(task: Json, where: str) -> list[InvalidTask]:
    found = [*_id(task.get("task_id"), f"{where}task_id")]
    if not task.get("resources"):
        found.append(InvalidTask("a task must use some", subject=f"{where}resources"))
    found += _resources(task.get("resources", ()), f"{where}resources")
    found += _duration((task.get("kill_policy") or {}).get("grace_period"), f"{where}kill_policy.grace_period")
    found += _duration(task.get("max_completion_time"), f"{where}max_completion_time")
    found += [fault for key in ("check", "health_check") for fault in _check(task.get(key), where + key)]
    return found


def _alone(task: Json, executor: Json | None, *, complete: bool) -> list[InvalidTask]:
    has_executor = executor is not None or task.get("executor") is not None
    found = list(_container(task.get("container"), "container", group=False))
    if has_executor and task.get("command") is not None:
        hint = "leave the command out: the executor runs what is in data or container"
        found.append(InvalidTask("a task has a command or an executor, not both", subject="command", hint=hint))
    elif complete and not has_executor and task.get("command") is None:
        found.append(InvalidTask("a task needs a command or an executor", subject="executor"))
    return found


def _in_group(task: Json, executor: Json | None, where: str) -> list[InvalidTask]:
    found = list(_container(task.get("container"), f"{where}container", group=True))
    if task.get("executor") not in (None, executor):
        found.append(InvalidTask("differs from the group's", subject=f"{where}executor", hint="leave it out"))
    return found


def _twice(tasks: Sequence[Json]) -> list[InvalidTask]:
    ids = [str((task.get("task_id") or {}).get("value", "")) for task in tasks]
    doubled = sorted({each for each in ids if ids.count(each) > 1})
    hint = "give each task an id of its own: this launch would end the Mesos master (a failed CHECK), not be refused"
    return [InvalidTask(f"{each!r} is in the group more than once", subject="tasks", hint=hint) for each in doubled]


def _id(value: Any, subject: str) -> Iterator[InvalidTask]:
    """common/validation.cpp, validateID."""
    text = str((value or {}).get("value", ""))
    if not text:
        yield InvalidTask("must not be empty", subject=subject)
    elif len(text) > ID_MAX:
        yield InvalidTask(f"has more than {ID_MAX} characters", subject=subject)
    elif text in (".", ".."):
        yield InvalidTask(f"{text!r} is not an id", subject=subject)
    elif any(letter in "/\\" or ord(letter) < 32 or ord(letter) == 127 for letter in text):
        yield InvalidTask(f"{text!r} has a slash, a backslash or a control character", subject=subject)


def _type(executor: Json, *, group: bool) -> Iterator[InvalidTask]:
    kind, command = executor.get("type"), executor.get("command")
    if kind is None and group:
        yield InvalidTask("must be set for a task group", subject="executor.type", hint="CUSTOM")
    if kind in (None, "CUSTOM") and command is None:
        hint = "see mesos-pod-executor executor-info"
        yield InvalidTask("must be set for a CUSTOM executor", subject="executor.command", hint=hint)
    if kind == "DEFAULT" and command is not None:
        yield InvalidTask("must not be set for the DEFAULT executor", subject="executor.command")
    if kind == "DEFAULT" and not group:
        yield InvalidTask("LAUNCH takes CUSTOM executors only", subject="executor.type", hint="CUSTOM, or a task group")


def _duration(value: Any, subject: str) -> Iterator[InvalidTask]:
    if value is not None and int(value.get("nanoseconds", 0)) < 0:
        yield InvalidTask("must not be negative", subject=subject)


def _check(value: Any, subject: str) -> Iterator[InvalidTask]:
    wanted = _CHECKS.get(str((value or {}).get("type")))
    if wanted is not None and value.get(wanted) is None:
        yield InvalidTask(f"must be set for a {value['type']} check", subject=f"{subject}.{wanted}")


def _container(value: Any, subject: str, *, group: bool) -> Iterator[InvalidTask]:
    if (value or {}).get("type") != "DOCKER":
        return
    if group:
        yield InvalidTask("a DOCKER container cannot be in a task group", subject=subject, hint="type MESOS")
    elif value.get("docker") is None:
        yield InvalidTask("must be set for a DOCKER container", subject=f"{subject}.docker")


def _resources(resources: Sequence[Json], subject: str) -> Iterator[InvalidTask]:
    """The faults in the resources of one task or of one executor."""
    for index, resource in enumerate(resources):
        if "name" not in resource:
            yield InvalidTask("is not a resource", subject=f"{subject}[{index}]")
        if (resource.get("scalar") or {}).get("value", 0) < 0:
            yield InvalidTask("must not be negative", subject=f"{subject}[{index}].scalar.value")
    roles = sorted({str(each["allocation_info"].get("role")) for each in resources if each.get("allocation_info")})
    if len(roles) > 1:
        yield InvalidTask(f"are allocated to more than one role: {', '.join(roles)}", subject=subject)
    for name in _of_both_kinds(resources):
        yield InvalidTask(f"{name} is both revocable and not", subject=subject, hint="take one kind of each resource")


def _mixture(tasks: Sequence[Json], executor: Json | None, *, group: bool) -> Iterator[InvalidTask]:
    """What is of one kind in each task and in the executor, but not across them. In a LAUNCH each task meets the
    executor alone.
    """
    own = list((executor or {}).get("resources", ()))
    parts = [list(task.get("resources", ())) for task in tasks]
    wholes = [[*chain.from_iterable(parts), *own]] if group else [[*part, *own] for part in parts]
    alone = {name for part in (*parts, own) for name in _of_both_kinds(part)}
    for name in sorted({name for whole in wholes for name in _of_both_kinds(whole)} - alone):
        message = f"{name} of a task and of its {'group or ' if group else ''}executor are revocable and not"
        yield InvalidTask(message, subject="executor.resources", hint=_PAIR)


def _of_both_kinds(resources: Sequence[Json]) -> list[str]:
    kinds: dict[str, set[bool]] = {}
    for resource in resources:
        kinds.setdefault(str(resource.get("name")), set()).add(resource.get("revocable") is not None)
    return sorted(name for name, found in kinds.items() if len(found) > 1)


def _group_minimum(resources: Sequence[Json]) -> list[InvalidTask]:
    sums: dict[str, float] = {}
    for resource in resources:
        name = str(resource.get("name"))
        sums[name] = sums.get(name, 0.0) + (resource.get("scalar") or {}).get("value", 0.0)
    found = []
    if sums.get("cpus", 0) < GROUP_CPUS_MIN:
        found.append(f"of a task group's executor need cpus of {GROUP_CPUS_MIN} at least")
    if sums.get("mem", 0) < GROUP_MEM_MIN_MIB:
        found.append(f"of a task group's executor need mem of {GROUP_MEM_MIN_MIB} MiB at least")
    if "disk" not in sums:
        found.append("of a task group's executor need disk")
    hint = "see mesos-pod-executor executor-info --class regular (or revocable)"
    return [InvalidTask(text, subject="executor.resources", hint=hint) for text in found]
