"""Tasks and executors as frameworks launch them, right and wrong: what the master is asked, and `validate` too. Pure.

Each case is (group, executor or None, tasks): ids of agent and framework, and the allocation of resources, are added by
`operation`, as a scheduler does.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from executor.cli.launch.executor_info import executor_info
from tests.support.mesos import messages
from tests.support.mesos.messages import scalar

Json = dict[str, Any]

CPUS, LENT = scalar("cpus", 0.1), scalar("cpus", 0.1, revocable=True)
MEM, LENT_MEM = scalar("mem", 32), scalar("mem", 32, revocable=True)
DISK = scalar("disk", 10)
COMMAND = {"value": "exit 0"}
FULL = (CPUS, MEM, DISK)


@dataclass(frozen=True)
class Case:
    name: str
    tasks: tuple[Json, ...]
    executor: Json | None = None
    group: bool = False

    @property
    def task_ids(self) -> list[str]:
        return [task["task_id"]["value"] for task in self.tasks]

    def document(self) -> Json:
        """As a framework's author would write it into a file."""
        if self.group:
            return {"executor": self.executor, "tasks": list(self.tasks)}
        (task,) = self.tasks
        return task if self.executor is None else task | {"executor": self.executor}

    def sent(self, framework_id: str, agent_id: str) -> tuple[list[Json], Json | None]:
        """The tasks and the group's executor of the operation."""
        operation = self.operation(framework_id, agent_id)
        if self.group:
            return operation["launch_group"]["task_group"]["tasks"], operation["launch_group"]["executor"]
        return operation["launch"]["task_infos"], None

    def operation(self, framework_id: str, agent_id: str) -> Json:
        executor = None if self.executor is None else _allocated(self.executor)
        if executor is not None:
            executor.setdefault("framework_id", {"value": framework_id})
        tasks = [{"agent_id": {"value": agent_id}} | _allocated(task) for task in self.tasks]
        if self.group:
            return messages.launch_group_operation(executor or {}, tasks)
        return messages.launch_operation(
            [task if executor is None else task | {"executor": executor} for task in tasks]
        )


def _allocated(owner: Json) -> Json:
    owner = copy.deepcopy(owner)
    for resource in owner.get("resources", ()):
        resource.setdefault("allocation_info", {"role": "*"})
    return owner


def task(name: str, *resources: Json, **fields: Any) -> Json:
    return messages.task_info(name, copy.deepcopy(list(resources))) | fields


def executor(name: str, *resources: Json, **fields: Any) -> Json:
    info = messages.executor_info(f"x-{name}", COMMAND["value"], copy.deepcopy(list(resources)))
    return {key: value for key, value in (info | fields).items() if value is not None}


def _one(name: str, of_task: Sequence[Json], of_executor: Sequence[Json], /, **fields: Any) -> Case:
    own = fields.pop("executor", {})
    return Case(name, (task(name, *of_task, **fields),), executor(name, *of_executor, **own))


def _group(name: str, of_tasks: Sequence[Sequence[Json]], of_executor: Sequence[Json], /, **fields: Any) -> Case:
    own = fields.pop("executor", {})
    tasks = [task(f"{name}-{n}", *each, **({"command": COMMAND} | fields)) for n, each in enumerate(of_tasks)]
    return Case(name, tuple(tasks), executor(name, *of_executor, **own), group=True)


def _kinds() -> Iterator[Case]:
    """Regular and revocable resources of one name, in a task and its executor."""
    yield _one("mixed-regular", [CPUS, MEM], [MEM])
    yield _one("mixed-revocable", [LENT, MEM], [MEM])
    yield _one("mixed-revocable-lent-mem", [LENT, LENT_MEM], [MEM])
    yield _one("mixed-no-resources-lent-mem", [LENT, LENT_MEM], [])
    yield _one("regular-cpus-regular", [CPUS, MEM], FULL)
    yield _one("regular-cpus-revocable", [LENT, MEM], FULL)
    yield _one("revocable-cpus-revocable", [LENT, MEM], [LENT, MEM, DISK])
    yield _one("revocable-cpus-regular", [CPUS, MEM], [LENT, MEM, DISK])
    yield _one("task-of-both-cpus", [CPUS, LENT, MEM], [MEM])
    yield _one("executor-of-both-cpus", [MEM], [CPUS, LENT, MEM])
    yield _one("task-lends-mem-only", [CPUS, LENT_MEM], [])
    yield _one("executor-lends-mem", [CPUS, MEM], [LENT_MEM])


def _amounts() -> Iterator[Case]:
    yield _one("task-without-resources", [], [MEM])
    yield _one("executor-without-resources", [CPUS, MEM], [])
    yield _one("task-without-cpus", [MEM], [MEM])
    yield _one("task-without-mem", [CPUS], [MEM])
    yield _one("tiny-executor", [CPUS, MEM], [scalar("cpus", 0.001), scalar("mem", 1)])
    yield _one("negative-cpus", [scalar("cpus", -1), MEM], [MEM])
    yield _one("no-cpus-at-all", [scalar("cpus", 0), MEM], [MEM])
    yield _one("two-roles", [CPUS | {"allocation_info": {"role": "other"}}, MEM], [MEM])
    yield _one("twice-the-same-resource", [CPUS, CPUS, MEM], [MEM])


def _forms() -> Iterator[Case]:
    """What a task and an executor must have beside resources."""
    yield _one("command-and-executor", [CPUS, MEM], [MEM], command=COMMAND)
    yield Case("neither-command-nor-executor", (task("neither-command-nor-executor", CPUS, MEM),))
    yield Case("command-only", (task("command-only", CPUS, MEM, command=COMMAND),))
    yield _one("custom-without-command", [CPUS, MEM], [MEM], executor={"command": None})
    yield _one("default-with-command", [CPUS, MEM], [MEM], executor={"type": "DEFAULT"})
    yield _one("default-executor", [CPUS, MEM], FULL, executor={"type": "DEFAULT", "command": None})
    yield _one("no-type", [CPUS, MEM], [MEM], executor={"type": None})
    yield _one("negative-shutdown-grace", [CPUS, MEM], [MEM], executor={"shutdown_grace_period": {"nanoseconds": -1}})
    yield _one("negative-kill-grace", [CPUS, MEM], [MEM], kill_policy={"grace_period": {"nanoseconds": -1}})
    yield _one("negative-completion-time", [CPUS, MEM], [MEM], max_completion_time={"nanoseconds": -1})
    yield _one("slash-in-task-id", [CPUS, MEM], [MEM], task_id={"value": "a/b"})
    yield _one("dots-as-task-id", [CPUS, MEM], [MEM], task_id={"value": ".."})
    yield _one("empty-task-id", [CPUS, MEM], [MEM], task_id={"value": ""})
    yield _one("space-in-task-id", [CPUS, MEM], [MEM], task_id={"value": "a b"})
    yield _one("long-task-id", [CPUS, MEM], [MEM], task_id={"value": "t" * 256})
    yield _one("slash-in-executor-id", [CPUS, MEM], [MEM], executor={"executor_id": {"value": "a/b"}})
    yield _one("foreign-framework", [CPUS, MEM], [MEM], executor={"framework_id": {"value": "other"}})
    yield _one("container-without-form", [CPUS, MEM], [MEM], container={"type": "DOCKER"})
    yield _one("check-without-form", [CPUS, MEM], [MEM], check={"type": "COMMAND"})
    yield _one("health-check-without-form", [CPUS, MEM], [MEM], health_check={"type": "COMMAND"})


def _groups() -> Iterator[Case]:
    yield _group("group", [[CPUS, MEM], [CPUS, MEM]], FULL)
    yield _group("group-revocable", [[LENT, MEM]], [LENT, MEM, DISK])
    yield _group("group-revocable-in-regular", [[LENT, MEM]], FULL)
    yield _group("group-of-both", [[LENT, MEM], [CPUS, MEM]], [LENT, MEM, DISK])
    yield _group("group-mixed", [[CPUS, MEM]], [MEM])
    yield _group("group-without-mem", [[CPUS, MEM]], [CPUS, DISK])
    yield _group("group-without-disk", [[CPUS, MEM]], [CPUS, MEM])
    yield _group("group-tiny-cpus", [[CPUS, MEM]], [scalar("cpus", 0.001), MEM, DISK])
    yield _group("group-tiny-mem", [[CPUS, MEM]], [CPUS, scalar("mem", 31), DISK])
    yield _group("group-without-executor-resources", [[CPUS, MEM]], [])
    yield _group("group-without-command", [[CPUS, MEM]], FULL, command=None)
    yield _group("group-no-type", [[CPUS, MEM]], FULL, executor={"type": None})
    yield _group("group-docker", [[CPUS, MEM]], FULL, container={"type": "DOCKER", "docker": {"image": "busybox"}})
    yield _group("group-network", [[CPUS, MEM]], FULL, container={"type": "MESOS", "network_infos": [{"name": "n"}]})
    docker = {"type": "DOCKER", "docker": {"image": "busybox"}}
    yield _group("group-docker-executor", [[CPUS, MEM]], FULL, executor={"container": docker})
    own = executor("group-own-executor", *FULL)
    yield _group("group-own-executor", [[CPUS, MEM]], FULL, executor={"executor_id": own["executor_id"]})
    twice = tuple(task("group-twice", CPUS, MEM, command=COMMAND) for _ in range(2))
    yield Case("group-twice", twice, executor("group-twice", *FULL), group=True)
    inner = task("group-task-executor", CPUS, MEM, executor=executor("another", *FULL))
    yield Case("group-task-executor", (inner,), executor("group-task-executor", *FULL), group=True)


def printed() -> list[Case]:
    """What the command `executor-info` prints, with the tasks that it is meant for: all are accepted."""

    def info(kind: str, name: str) -> Json:
        return executor_info(kind, name, f"x-{name}", "/bin/true", {"cpus": 0.1, "mem": 96.0, "disk": 32.0})

    def launch(kind: str, name: str, cpus: Json) -> Case:
        return Case(name, (task(name, cpus, MEM),), info(kind, name))

    def group(kind: str, name: str, cpus: Json) -> Case:
        return Case(name, (task(name, cpus, MEM, command=COMMAND),), info(kind, name), group=True)

    return [
        launch("mixed", "printed-mixed-regular", CPUS),
        launch("mixed", "printed-mixed-revocable", LENT),
        launch("regular", "printed-regular", CPUS),
        launch("revocable", "printed-revocable", LENT),
        group("regular", "printed-group-regular", CPUS),
        group("revocable", "printed-group-revocable", LENT),
    ]


def cases() -> list[Case]:
    return [*_kinds(), *_amounts(), *_forms(), *_groups(), *printed()]
