"""Tasks of an executor that only notes what it is told, for the tests of Mesos itself."""

from __future__ import annotations

import json
from typing import Any

from tests.support.mesos import messages
from tests.support.mesos.cluster import MesosAgent
from tests.support.mesos.http import Message
from tests.support.mesos.messages import scalar, task_info
from tests.support.mesos.scheduler import Scheduler
from tests.support.node.record import start_ticks


def executor(agent: MesosAgent, executor_id: str, *resources: Message, **fields: Any) -> Message:
    command = f"exec python3 {agent.build / 'libexec/mesos-executor'}"
    return messages.executor_info(executor_id, command, resources or (scalar("mem", 32),), **fields)


def task(task_id: str, cpus: float = 0.1, *, revocable: bool = False, **fields: Any) -> Message:
    return task_info(task_id, [scalar("cpus", cpus, revocable=revocable), scalar("mem", 16)], **fields)


def journal(agent: MesosAgent, scheduler: Scheduler, executor_id: str, kind: str) -> list[Any]:
    lines = (agent.sandbox(scheduler.framework_id, executor_id) / "executor.jsonl").read_text().splitlines()
    return [entry["value"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def revocable_cpus(offers: list[Message]) -> float:
    resources = [resource for offer in offers for resource in offer["resources"] if "revocable" in resource]
    return sum(float(resource["scalar"]["value"]) for resource in resources if resource["name"] == "cpus")


def is_alive(pid: int) -> bool:
    return start_ticks(pid) is not None  # a zombie that the host's process 1 does not reap has ended
