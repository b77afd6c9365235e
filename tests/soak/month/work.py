"""The pods that the framework launches: kinds, how often each comes, and what their containers do."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from executor.names import TaskId
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.soak.month.node import Behaviour
from tests.unit.pod.samples import pod as pod_document
from tests.unit.pod.samples import scalar, task


@dataclass(frozen=True)
class Kind:
    """A kind of pod: its document's fields, and what its containers do."""

    behaviour: Callable[[random.Random, str], Behaviour]
    revocable: bool = False
    tasks: int = 1
    fields: Mapping[str, Any] | None = None
    restarts_end_after: int = 0
    """The run that ends it, of a pod that is restarted."""

    def again(self, first: Behaviour, run: int) -> Behaviour:
        """The behaviour of a later run."""
        return replace(first, exit_code=0) if run > self.restarts_end_after else first


def _job(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(5.7, 1.2))  # median 5 minutes


def _failing(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(4, 1.5), chance.choice((1, 2, 139)))


def _service(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(9.5, 1), 0, chance.choice((0.1, 1.0, 60.0)))  # median 4 hours


def _stubborn(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(8, 1), 0, None)


def _with_init(chance: random.Random, name: str) -> Behaviour:
    return (
        Behaviour(chance.uniform(0.01, 3), 0 if chance.random() < 0.95 else 1) if name == "init" else _job(chance, name)
    )


_INIT = [{"name": "init", "image": "init:1"}]
KINDS: dict[str, tuple[float, Kind]] = {
    "job": (30, Kind(_job)),
    "revocable job": (30, Kind(_job, revocable=True)),
    "failing": (8, Kind(_failing)),
    "service": (8, Kind(_service)),
    "revocable service": (8, Kind(_service, revocable=True)),
    "stubborn": (3, Kind(_stubborn, revocable=True)),
    "init": (5, Kind(_with_init, fields={"initContainers": _INIT})),
    "crashing": (3, Kind(_failing, fields={"restartPolicy": "OnFailure"}, restarts_end_after=8)),
    "deadline": (2, Kind(_service, fields={"activeDeadlineSeconds": 600})),
    "host port": (3, Kind(_job, fields={"hostPort": True})),
}
"""Kinds of pods, and how often each of them comes."""


@cache
def template(kind: str) -> PodSpec:
    """As a launch reads it; termination messages are files, which are not simulated."""
    made = KINDS[kind][1]
    fields = {"restartPolicy": "Never", **(made.fields or {})}
    port = {"ports": [{"containerPort": 80, "hostPort": 31000}]} if fields.pop("hostPort", False) else {}
    info = task(pod_document(port, **fields))
    info["resources"] = [scalar("cpus", 0.1, revocable=made.revocable), *info["resources"][1:]]
    spec = parse_launch([info], group=False)
    return replace(spec, containers=tuple(replace(each, termination=None) for each in spec.containers))


def named(spec: PodSpec, names: list[str]) -> PodSpec:
    """The same for these tasks."""
    tasks = tuple(map(TaskId, names))
    return replace(spec, task_ids=tasks, containers=tuple(replace(each, task_id=tasks[0]) for each in spec.containers))
