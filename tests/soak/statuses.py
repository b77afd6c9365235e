"""What the scheduler was told of each task, against what Mesos promises it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL

_ORDER = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")


def faults(statuses: Iterable[Status], launched: Iterable[str]) -> list[str]:
    """In words: tasks without an end, with two, with a status after it, or with one that goes back. An update that
    Mesos sends again has the uuid that it had.
    """
    by_task: dict[str, list[Status]] = {task: [] for task in launched}
    seen = set[str]()
    for status in statuses:
        identity = status.raw.get("uuid") or f"{status.at_s} {status}"
        if identity not in seen:
            seen.add(identity)
            by_task.setdefault(status.task_id, []).append(status)
    return [f"{task}: {fault}" for task, found in by_task.items() if (fault := _fault(found))]


def _fault(found: Sequence[Status]) -> str:
    states = [status.state for status in found]
    ends = [state for state in states if state in TERMINAL]
    if len(ends) != 1:
        return f"{len(ends)} terminal statuses: {states}"
    if states[-1] not in TERMINAL:
        return f"a status after the end: {states}"
    ranks = [_ORDER.index(state) for state in states[:-1] if state in _ORDER]
    return "" if ranks == sorted(ranks) else f"not in order: {states}"
