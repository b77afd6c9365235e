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
from tests.unit.pod.samples import scalar, task, with_image


@dataclass(frozen=True)
class Kind:
    """A kind of pod: its document's fields, and what its containers do."""

    behaviour: Callable[[random.Random, str], Behaviour]
    revocable: bool = False
    tasks: int = 1
    fields: Mapping[str, Any] | None = None
    container: Mapping[str, Any] | None = None
    restarts_end_after: int = 0
    """The run that ends it, of a pod that is restarted."""

    def again(self, first: Behaviour, run: int) -> Behaviour:
        """The behaviour of a later run."""
        well = replace(first, exit_code=0, oom=False, sick_s=None)
        return well if run > self.restarts_end_after else first


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


def _greedy(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(4, 1.5), oom=True)


def _sick(chance: random.Random, _: str) -> Behaviour:
    return Behaviour(chance.lognormvariate(7, 1), 0, chance.choice((0.2, None)), sick_s=chance.uniform(0, 1200))


_PROBE = {"exec": {"command": ["check"]}, "periodSeconds": 120, "timeoutSeconds": 4, "failureThreshold": 2}
_PROBED = {"livenessProbe": _PROBE, "readinessProbe": _PROBE}
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
    "host port": (3, Kind(_job, container={"ports": [{"containerPort": 80, "hostPort": 31000}]})),
    "out of memory": (2, Kind(_greedy)),
    "out of memory again": (1, Kind(_greedy, True, fields={"restartPolicy": "OnFailure"}, restarts_end_after=2)),
    "sick": (3, Kind(_sick, container=_PROBED)),
    "sick again": (2, Kind(_sick, True, 1, {"restartPolicy": "OnFailure"}, _PROBED, restarts_end_after=3)),
    "group": (3, Kind(_job, tasks=2)),
    "revocable group": (2, Kind(_service, revocable=True, tasks=3)),
}
"""Kinds of pods, and how often each of them comes."""


@cache
def template(kind: str) -> PodSpec:
    """As a launch reads it; termination messages are files, which are not simulated."""
    made = KINDS[kind][1]
    if made.tasks == 1:
        infos = [task(pod_document(dict(made.container or {}), **{"restartPolicy": "Never", **(made.fields or {})}))]
    else:
        command = {"shell": False, "value": "/app"}
        names = [f"web{number}" for number in range(made.tasks)]
        infos = [task(task_id=name, name=name, container=with_image(), command=command) for name in names]
    for info in infos:
        info["resources"] = [scalar("cpus", 0.1, revocable=made.revocable), *info["resources"][1:]]
    spec = parse_launch(infos, group=made.tasks > 1)
    return replace(spec, containers=tuple(replace(each, termination=None) for each in spec.containers))


def named(spec: PodSpec, names: list[str]) -> PodSpec:
    """The same for these tasks."""
    ids = dict(zip(spec.task_ids, map(TaskId, names), strict=True))
    containers = tuple(replace(each, task_id=ids[each.task_id]) for each in spec.containers)
    return replace(spec, task_ids=tuple(ids.values()), containers=containers)
