"""Answers a framework's MESSAGE {"list": ...}: the pods of this executor that have not ended.

    {"id": "l-1", "tasks": ["web-0"]}     both may be left out: {} asks for every pod

The answer names each task that was asked for and has no pod here as `unknown`, so that a framework that has lost its
own state can tell what runs. It is bounded: what does not fit is counted in `left_out`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from executor.errors import InvalidRequest
from executor.log import timestamp

if TYPE_CHECKING:
    from executor.pod.runner import PodRunner
    from executor.pod.table import Pods

SUBJECT: Final = "list"
KEYS: Final = ("id", "tasks")
TASKS_MAX: Final = 1000
ID_LETTERS_MAX: Final = 128
ANSWER_BYTES: Final = 256 << 10
_HINT: Final = 'send {"list": {}}, or {"list": {"id": "l-1", "tasks": ["web-0"]}}'


@dataclass(frozen=True)
class Query:
    """`tasks` None: every pod is meant."""

    id: str
    tasks: tuple[str, ...] | None


def parse(document: object) -> Query:
    """Raises InvalidRequest."""
    if not isinstance(document, Mapping) or set(document) - set(KEYS):
        raise InvalidRequest(f"must be an object with {' and '.join(KEYS)}, or empty", subject=SUBJECT, hint=_HINT)
    identity, tasks = document.get("id", ""), document.get("tasks")
    if not isinstance(identity, str) or len(identity) > ID_LETTERS_MAX:
        raise InvalidRequest(f"must be a text of {ID_LETTERS_MAX} letters at most", subject=f"{SUBJECT}.id", hint=_HINT)
    if tasks is None:
        return Query(identity, None)
    is_list = isinstance(tasks, list) and all(isinstance(each, str) for each in tasks)
    if not is_list or not 0 < len(tasks) <= TASKS_MAX:
        raise InvalidRequest(f"must be 1 to {TASKS_MAX} ids of tasks", subject=f"{SUBJECT}.tasks", hint=_HINT)
    return Query(identity, tuple(tasks))


def answer(query: Query, pods: Iterable[Mapping[str, Any]], coming: Collection[str] = ()) -> dict[str, Any]:
    """The MESSAGE. `pods` are documents as `of` makes them; `coming` are tasks whose launch is not read yet. Pure."""
    pods = list(pods)
    wanted = None if query.tasks is None else set(query.tasks)
    chosen = [pod for pod in pods if wanted is None or wanted.intersection(pod["tasks"])]
    fitting, size_bytes = [], 0
    for pod in chosen:
        size_bytes += len(json.dumps(pod)) + 2
        if size_bytes > ANSWER_BYTES:
            break
        fitting.append(pod)
    known = {task for pod in pods for task in pod["tasks"]} | set(coming)
    found: dict[str, Any] = {"id": query.id, "pods": fitting, "left_out": len(chosen) - len(fitting)}
    if query.tasks is not None:
        found["unknown"] = [task for task in dict.fromkeys(query.tasks) if task not in known]
    return {"listed": found}


def of(runner: PodRunner) -> dict[str, Any]:
    """One pod. `healthy` is there when its tasks have a probe or a health check that has a result."""
    spec, life = runner.spec, runner.pod
    document: dict[str, Any] = {
        "pod": runner.id,
        "tasks": list(spec.task_ids),
        "name": spec.name,
        "namespace": spec.namespace,
        "class": spec.pod_class,
        "role": spec.role,
        "state": life.state,
        "ips": list(life.ips),
        "started_at": timestamp(datetime.fromtimestamp(runner.started_at, UTC)),
        "containers": [
            {"name": each.name, "state": each.phase, "ready": life.is_ready(each), "restarts": each.restarts}
            for each in life.containers.values()
        ],
    }
    health = set(life.healthy.values()) - {None}
    return document | ({"healthy": health == {True}} if health else {})


class Listing:
    def __init__(self, pods: Pods) -> None:
        self._pods = pods

    async def take(self, document: object) -> dict[str, Any]:
        """The answer. Raises InvalidRequest."""
        query = parse(document)
        return answer(query, map(of, self._pods), self._pods.coming)
