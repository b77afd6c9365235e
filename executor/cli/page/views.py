"""Which executors a section of the node's page is about: one, or the two of a pair. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

Json = Mapping[str, Any]
_CLASSES: Final = frozenset({"regular", "revocable"})


@dataclass(frozen=True)
class View:
    """`executors` are documents of GET /v1/executor; `classes` rows of schema/top.json, each class once.

    Events are in the order of time, and so are revocations.
    """

    executors: Sequence[Json]
    classes: Sequence[Json]
    pods: Sequence[Json]
    ended: Sequence[Json]
    revocations: Sequence[Json]
    events: Sequence[Json]


def views(executors: Sequence[Json], rows: Sequence[Json]) -> list[View]:
    """`executors` are as `collect.executor` gives them, `rows` the classes of schema/top.json.

    The only two executors of a framework are a pair if no class has pods in both of them, and neither has both classes.
    That of the regular pods comes first.
    """
    members = sorted(executors, key=_framework)
    found: dict[str, View] = {}
    for _, several in groupby(members, _framework):
        group = list(several)
        pair = sorted(group, key=lambda facts: "regular" not in _held(facts))
        for each in [pair] if _is_pair(group) else [[one] for one in group]:
            found[_container(each[0])] = _view(each, rows)
    return [found[_container(each)] for each in executors if _container(each) in found]


def _framework(facts: Json) -> str:
    return str(facts["executor"]["framework"])


def _container(facts: Json) -> str:
    return str(facts["executor"]["mesos_container"])


def _held(facts: Json) -> frozenset[str]:
    """The classes of which it has pods, or had some that are not forgotten."""
    return frozenset(str(pod["class"]) for pod in (*facts["pods"], *facts["ended"]))


def _is_pair(group: Sequence[Json]) -> bool:
    if len(group) != 2:
        return False
    first, second = map(_held, group)
    return not first & second and _CLASSES not in (first, second)


def _view(group: Sequence[Json], rows: Sequence[Json]) -> View:
    events = sorted((each for one in group for each in one["events"]), key=lambda event: str(event["time"]))
    begun = {str(each["revocation"]): at for at, each in reversed(list(enumerate(events))) if "revocation" in each}
    revocations = [each for one in group for each in one["revocations"]]
    return View(
        [each["executor"] for each in group],
        _rows(group, rows),
        [pod for each in group for pod in each["pods"]],
        [pod for each in group for pod in each["ended"]],
        sorted(revocations, key=lambda receipt: begun.get(str(receipt["id"]), -1)),
        events,
    )


def _rows(group: Sequence[Json], rows: Sequence[Json]) -> list[Json]:
    """Each executor has a row for both classes. For a pair, the row of the half that the class belongs to."""
    if len(group) == 1:
        return [row for row in rows if row["container"] == _container(group[0])]
    regular, revocable = sorted(group, key=lambda each: ("revocable" in _held(each)) - ("regular" in _held(each)))
    halves = (("regular", _container(regular)), ("revocable", _container(revocable)))
    return [row for half in halves for row in rows if (row["class"], row["container"]) == half]
