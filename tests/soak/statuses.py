"""What the scheduler was told of each task, against what Mesos promises it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL

_ORDER = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")


def faults(statuses: Iterable[Status], launched: Iterable[str]) -> list[str]:
    """In words: tasks without an end, with two, with a status after it, or with one that goes back. An update that
    Mesos sends again has the uuid that it had. The master's own TASK_GONE after the end of a task does not count.
    """
    by_task: dict[str, list[Status]] = {task: [] for task in launched}
    seen = set[str]()
    for status in statuses:
        identity = status.raw.get("uuid") or f"{status.at_s} {status}"
        if identity not in seen:
            seen.add(identity)
            found = by_task.setdefault(status.task_id, [])
            if not (found and found[-1].state in TERMINAL and _is_reconciliation(status)):
                found.append(status)
    return [f"{task}: {fault}" for task, found in by_task.items() if (fault := _fault(found))]


def _is_reconciliation(status: Status) -> bool:
    """An agent that registers again may not list a task that has ended while the master still knows it: the master says
    once more that it is gone. Source: src/master/master.cpp, reconcileKnownSlave.
    """
    return (status.state, status.source, status.reason) == ("TASK_GONE", "SOURCE_MASTER", "REASON_RECONCILIATION")


def _fault(found: Sequence[Status]) -> str:
    states = [status.state for status in found]
    ends = [state for state in states if state in TERMINAL]
    if len(ends) != 1:
        return f"{len(ends)} terminal statuses: {', '.join(map(str, found))}"
    if states[-1] not in TERMINAL:
        return f"a status after the end: {states}"
    ranks = [_ORDER.index(state) for state in states[:-1] if state in _ORDER]
    return "" if ranks == sorted(ranks) else f"not in order: {states}"
