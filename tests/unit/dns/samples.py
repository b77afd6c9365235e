"""Messages of the operator API as a real master and agent (Mesos 1.11.0) write them, cut down to what varies."""

from __future__ import annotations

import json
from typing import Any

from executor.mesos.operator import messages

Json = dict[str, Any]
FRAMEWORK = "f-0000"
EXECUTOR = "e"


def value(text: str) -> Json:
    return {"value": text}


def status(
    task: str,
    *ips: str,
    state: str = "TASK_RUNNING",
    at_s: float = 1.0,
    container: str = "c",
    executor: str = EXECUTOR,
    source: str = "SOURCE_EXECUTOR",
    **labels: Any,
) -> Json:
    addresses = [{"protocol": "IPv4", "ip_address": ip} for ip in ips]
    pairs = [{"key": key.replace("_", "."), "value": text} for key, text in labels.items()]
    return {
        "task_id": value(task),
        "state": state,
        "source": source,
        "executor_id": value(executor),
        "timestamp": at_s,
        "uuid": "zLHRT1d9SB624otBTGwbDw==",
        "container_status": {
            "container_id": value(container),
            "network_infos": [{"ip_addresses": addresses, "name": "podnet"}],
        },
        "labels": {"labels": pairs},
    }


def task(
    task_id: str,
    *ips: str,
    state: str = "TASK_RUNNING",
    agent: str = "a-S0",
    name: str = "",
    framework: str = FRAMEWORK,
    container: str = "c",
    role: str = "eng",
    executor: str = EXECUTOR,
    **labels: Any,
) -> Json:
    """A Task; with addresses it has run."""
    statuses = [status(task_id, *ips, state="TASK_STARTING", at_s=0.5)] if ips else []
    statuses += [status(task_id, *ips, container=container, **labels)] if ips else []
    allocated = {"type": "SCALAR", "scalar": {"value": 0.1}, "allocation_info": {"role": role}}
    return {
        "name": name or task_id,
        "task_id": value(task_id),
        "framework_id": value(framework),
        "agent_id": value(agent),
        "state": state,
        "resources": [{"name": "cpus", **allocated}, {"name": "mem", **allocated}],
        **({"executor_id": value(executor)} if executor else {}),
        "statuses": statuses,
    }


def state_json(*tasks: Json, agents: tuple[str, ...] | None = ("a-S0",), lost: tuple[Json, ...] = ()) -> Json:
    """The state of a master, or of an agent if `agents` is None."""
    frameworks = [{"framework_info": {"id": value(FRAMEWORK), "name": "fw", "user": "root"}, "active": True}]
    document: Json = {"get_frameworks": {"frameworks": frameworks, "completed_frameworks": []}, "get_executors": {}}
    if agents is None:
        return document | {"get_tasks": {"launched_tasks": list(tasks), "queued_tasks": [], "completed_tasks": []}}
    listed = [{"agent_info": {"id": value(agent), "hostname": "h"}, "active": True} for agent in agents]
    return document | {
        "get_tasks": {"tasks": list(tasks), "unreachable_tasks": list(lost), "completed_tasks": []},
        "get_agents": {"agents": listed, "recovered_agents": []},
    }


def state(*tasks: Json, agents: tuple[str, ...] | None = ("a-S0",), lost: tuple[Json, ...] = ()) -> messages.State:
    document = {"type": "GET_STATE", "get_state": state_json(*tasks, agents=agents, lost=lost)}
    return messages.state(json.dumps(document).encode())


def event(kind: str, body: Json | None = None) -> messages.Event:
    return messages.event(json.dumps({"type": kind, kind.lower(): body} if body else {"type": kind}).encode())


def added(each: Json) -> messages.Event:
    return event("TASK_ADDED", {"task": each})


def updated(each: Json, *, latest: str = "") -> messages.Event:
    body = {"framework_id": value(FRAMEWORK), "status": each, "state": latest or each["state"]}
    return event("TASK_UPDATED", body)


def agent_added(agent: str) -> messages.Event:
    return event("AGENT_ADDED", {"agent": {"agent_info": {"id": value(agent)}}})
