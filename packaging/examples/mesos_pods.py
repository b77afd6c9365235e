"""What a scheduler needs to run pods: tasks out of offers, requests to the executor, and what comes back.

One file of the standard library; copy it beside your scheduler. It knows the v1 JSON of Mesos, and nothing of a client
library: packaging/examples/scheduler.py uses it with pymesos, packaging/examples/scheduler_http.py with plain HTTP.

    Placer(executor_info).place(...)          the TaskInfos of pods, with resources exactly as the offers have them
    accept(...), decline(...)                 calls of the scheduler API, without framework_id and type
    revoke(...), update(...), listing(...)    the `data` of a MESSAGE to the executor, in base64
    Answer.of(data)                           the executor's MESSAGE: a receipt, an update, a list, an error
    Status.of(update)                         a status, what its containers do, and what to do next
    Backoff()                                 when a task may be launched again, and where
"""

from __future__ import annotations

import base64
import copy
import json
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Json = dict[str, Any]
CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE", "REVOCABLE_RESOURCES")
"""The capabilities of the FrameworkInfo. PARTITION_AWARE: a revoked task is TASK_GONE, else TASK_LOST."""
TERMINAL = frozenset(
    f"TASK_{name}" for name in ("FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)


# --- offers and tasks


@dataclass(frozen=True)
class Wanted:
    """A pod to launch: a Kubernetes v1 Pod, and what Mesos accounts to it. `mem` and `disk` are MiB. A revocable pod
    has revocable cpus; its memory is regular, because an executor for both classes has regular memory.
    """

    task_id: str
    pod: Mapping[str, Any]
    cpus: float
    mem: float
    disk: float = 0.0
    ports: Sequence[int] = ()
    revocable: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


class Placer:
    """Makes tasks of the offers of one agent. Remembers each executor, because Mesos wants it named again exactly as it
    was when the next task joins it: tell `forget` of each FAILURE event.
    """

    def __init__(self, executor: Mapping[str, Any], role: str = "*") -> None:
        """`executor` is what `mesos-pod-executor executor-info` prints."""
        self._executor, self._role = dict(executor), role
        self._known: dict[str, Json] = {}

    def place(self, framework_id: str, offers: Sequence[Json], pods: Iterable[Wanted]) -> list[Json] | None:
        """The TaskInfos of all `pods`, or None where the offers have no room for them. Regular and revocable resources
        of one agent may come in several offers: give all of them, and accept all of them in one call.
        """
        left = [copy.deepcopy(each) for offer in offers for each in offer["resources"] if self._is_own(each)]
        agent = offers[0]["agent_id"]
        try:
            executor = self._known.get(agent["value"]) or self._equipped(left, framework_id)
            tasks = [_task(each, agent, executor, left) for each in pods]
        except LookupError:
            return None
        self._known[agent["value"]] = executor
        return tasks

    def forget(self, agent_id: str) -> None:
        """The executor of this agent has ended; the next one takes its resources from an offer again."""
        self._known.pop(agent_id, None)

    def _is_own(self, resource: Json) -> bool:
        return bool(resource.get("allocation_info", {}).get("role", "*") == self._role)

    def _equipped(self, left: list[Json], framework_id: str) -> Json:
        own = [
            part
            for each in self._executor.get("resources", ())
            for part in take(left, each["name"], each["scalar"]["value"], revocable="revocable" in each)
        ]
        return {**self._executor, "framework_id": {"value": framework_id}, "resources": own}


def _task(wanted: Wanted, agent: Json, executor: Json, left: list[Json]) -> Json:
    resources = [*take(left, "cpus", wanted.cpus, revocable=wanted.revocable), *take(left, "mem", wanted.mem)]
    if wanted.disk:
        resources += take(left, "disk", wanted.disk)
    resources += [take_port(left, port) for port in wanted.ports]
    task: Json = {
        "name": str(wanted.pod.get("metadata", {}).get("name", wanted.task_id)),
        "task_id": {"value": wanted.task_id},
        "agent_id": agent,
        "executor": executor,
        "resources": resources,
        "data": _base64(wanted.pod),
    }
    if wanted.labels:
        task["labels"] = {"labels": [{"key": key, "value": value} for key, value in wanted.labels.items()]}
    return task


def take(left: list[Json], name: str, amount: float, *, revocable: bool = False) -> list[Json]:
    """Parts of offered resources that are `amount` together, with all that the offer says of each: role, provider,
    reservations. No part of a persistent volume is taken. `left` has less of them afterwards.
    Raises LookupError where there is not enough, and takes nothing.
    """
    fitting = [
        each
        for each in left
        if each["name"] == name
        and each["type"] == "SCALAR"
        and ("revocable" in each) == revocable
        and "persistence" not in each.get("disk", {})
    ]
    if sum(each["scalar"]["value"] for each in fitting) + 1e-9 < amount:
        raise LookupError(f"no {amount} of {name}")
    found = []
    for each in fitting:
        part = round(min(amount, each["scalar"]["value"]), 3)
        if part > 0:
            each["scalar"]["value"] = round(each["scalar"]["value"] - part, 3)
            amount = round(amount - part, 3)
            found.append({**each, "scalar": {"value": part}})
    return found


def take_port(left: list[Json], port: int) -> Json:
    """One port of an offered range. Raises LookupError."""
    for each in left:
        ranges = each.get("ranges", {}).get("range", []) if each["name"] == "ports" else []
        for span in ranges:
            begin, end = span["begin"], span["end"]
            if begin <= port <= end:
                ranges.remove(span)
                ranges += [{"begin": a, "end": b} for a, b in ((begin, port - 1), (port + 1, end)) if a <= b]
                return {**each, "ranges": {"range": [{"begin": port, "end": port}]}}
    raise LookupError(f"no port {port}")


def accept(offers: Sequence[Json], tasks: Sequence[Json]) -> Json:
    """The body of ACCEPT: every task is a pod of its own."""
    launch = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
    return {"offer_ids": [each["id"] for each in offers], "operations": [launch], "filters": {"refuse_seconds": 1.0}}


def decline(offers: Sequence[Json], refuse_s: float = 5.0) -> Json:
    """The body of DECLINE. No other framework gets an offer that is held: decline what you do not use."""
    return {"offer_ids": [each["id"] for each in offers], "filters": {"refuse_seconds": refuse_s}}


# --- requests to the executor


def revoke(
    identity: str, select: Mapping[str, Any], *, grace: str = "", reason: str = "", dry_run: bool = False
) -> str:
    """Take resources back. `select` is {"all": true}, {"roles": [...]}, {"tasks": [...]} or {"labels": {...}}. Choose
    `identity` yourself: a repeated request is the same revocation, so it can be sent until its receipt comes.
    """
    request: Json = {"id": identity, "select": dict(select), "reason": reason}
    request |= {"grace": grace} if grace else {}
    return _base64({"revoke": request | ({"dry_run": True} if dry_run else {})})


def update(identity: str, task_id: str, objects: Sequence[Mapping[str, Any]]) -> str:
    """New ConfigMaps and Secrets for the volumes of a pod that runs."""
    return _base64({"update": {"id": identity, "task": task_id, "objects": list(objects)}})


def listing(identity: str, task_ids: Sequence[str] = ()) -> str:
    """What runs: of these tasks, or of the whole executor."""
    return _base64({"list": {"id": identity} | ({"tasks": list(task_ids)} if task_ids else {})})


@dataclass(frozen=True)
class Answer:
    """A MESSAGE of the executor. `kind` is revocation, updated, listed or error; `body` is that document."""

    kind: str
    body: Json

    @classmethod
    def of(cls, data: str) -> Answer:
        """`data` is base64, as Mesos' JSON has it. Raises ValueError for what is no such message."""
        document = json.loads(base64.b64decode(data))
        if not isinstance(document, dict) or len(document) != 1:
            raise ValueError("not a message of mesos-pod-executor")
        ((kind, body),) = document.items()
        return cls(kind, body)

    @property
    def id(self) -> str:
        """That of the request, empty if it had none."""
        return str(self.body.get("id", ""))

    @property
    def is_final(self) -> bool:
        """Whether no other answer to the same request follows: a receipt that says `running` or `stuck` is followed."""
        return self.kind != "revocation" or self.body["state"] not in ("running", "stuck")


# --- statuses


class Next(Enum):
    """What a scheduler does after a status."""

    NOTHING = "nothing: it goes on, or you ended it"
    DONE = "nothing: it ended well"
    AGAIN = "launch it again, with a back-off"
    ELSEWHERE = "launch it again on another node, with a back-off"
    WHEN_OFFERED = "launch it again when revocable resources are offered"
    CORRECT = "correct the task: launched as it is it fails again"


_BY_REASON = {
    "REASON_TASK_INVALID": Next.CORRECT,
    "REASON_CONTAINER_LIMITATION_MEMORY": Next.CORRECT,
    "REASON_CONTAINER_LIMITATION_DISK": Next.CORRECT,
    "REASON_MAX_COMPLETION_TIME_REACHED": Next.CORRECT,
    "REASON_CONTAINER_LAUNCH_FAILED": Next.ELSEWHERE,
    "REASON_TASK_UNAUTHORIZED": Next.ELSEWHERE,
    "REASON_EXECUTOR_TERMINATED": Next.ELSEWHERE,
    "REASON_CONTAINER_UPDATE_FAILED": Next.ELSEWHERE,
    "REASON_CONTAINER_PREEMPTED": Next.WHEN_OFFERED,
}


@dataclass(frozen=True)
class Status:
    """`containers` are those of the task (schema: framework-authors.md, section 9), `labels` those of the status, with
    `revocation`, `revocation.reason` and others of a revoked task. `healthy` is None without a probe or health check.
    """

    task_id: str
    state: str
    reason: str
    message: str
    agent_id: str
    executor_id: str
    healthy: bool | None
    ips: tuple[str, ...]
    containers: tuple[Json, ...]
    labels: Mapping[str, str]

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> Status:
        """A TaskStatus as JSON."""
        networks = status.get("container_status", {}).get("network_infos", [])
        return cls(
            task_id=status["task_id"]["value"],
            state=status["state"],
            reason=status.get("reason", ""),
            message=status.get("message", ""),
            agent_id=status.get("agent_id", {}).get("value", ""),
            executor_id=status.get("executor_id", {}).get("value", ""),
            healthy=status.get("healthy"),
            ips=tuple(each["ip_address"] for network in networks for each in network.get("ip_addresses", [])),
            containers=tuple(_containers(status.get("data", ""))),
            labels={each["key"]: each.get("value", "") for each in status.get("labels", {}).get("labels", [])},
        )

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def next(self) -> Next:
        """After a terminal status; NOTHING before. A KILL of your own ends in NOTHING too."""
        if self.state == "TASK_FINISHED":
            return Next.DONE
        if not self.is_terminal or self.state == "TASK_KILLED":
            return Next.ELSEWHERE if self.reason == "REASON_EXECUTOR_TERMINATED" else Next.NOTHING
        return _BY_REASON.get(self.reason, Next.AGAIN)


def _containers(data: str) -> list[Json]:
    """Empty for what is not of this executor: the agent's own statuses have no data."""
    try:
        document = json.loads(base64.b64decode(data))
    except ValueError:
        return []
    return list(document.get("containers", [])) if isinstance(document, dict) else []


class Backoff:
    """Delays that double from `first_s` to `most_s`, each by a random part longer, so that many do not come back at
    once. `key` is a task's name, or a task's name and an agent. Forgets a key that has run for `most_s`.
    """

    def __init__(self, first_s: float = 1.0, most_s: float = 300.0) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._failures: dict[object, tuple[int, float]] = {}

    def failed(self, key: object, now_s: float | None = None) -> float:
        """Seconds until it may be launched again."""
        now_s = time.monotonic() if now_s is None else now_s
        count, until_s = self._failures.get(key, (0, now_s))
        count = 0 if now_s - until_s > self._most_s else count
        delay_s = min(self._most_s, self._first_s * 2.0**count) * (1 + random.random() / 4)
        self._failures[key] = (min(count + 1, 32), now_s + delay_s)
        return delay_s

    def may(self, key: object, now_s: float | None = None) -> bool:
        """Whether it may be launched now."""
        _, until_s = self._failures.get(key, (0, 0.0))
        return (time.monotonic() if now_s is None else now_s) >= until_s


def _base64(document: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()
