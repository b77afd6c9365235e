"""What happened to one task, out of the journal: its pod's life, the revocations that met it, and what happened to the
whole executor meanwhile. Pure.

An event belongs to a task if it names it, its pod, or a revocation that names either; events of the node (containerd,
the agent, pressure) belong to it while its pod lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

Event = Mapping[str, Any]

NODE_WIDE = ("containerd.", "mesos.", "pressure.", "executor.stop")
_FIRST, _LAST = "pod.accepted", "pod.ended"


def timeline(events: Sequence[Event], text: str) -> list[dict[str, Any]]:
    """The events of the newest pod that `text` names (a task id, a pod's id or its name), oldest first, each with
    `since_ms` since the first. Empty if none is known.
    """
    pod = _newest_pod(events, text)
    own = [event for event in events if _about(event, text, pod)]
    if not own:
        return []
    revocations = {event["revocation"] for event in own if "revocation" in event}
    first, last = own[0]["seq"], _end(own)
    chosen = [
        event
        for event in events
        if _about(event, text, pod)
        or (event.get("revocation") in revocations and "pod" not in event)
        or (first < event["seq"] < last and str(event.get("code", "")).startswith(NODE_WIDE))
    ]
    return [{**event, "since_ms": _ms_between(chosen[0], event)} for event in chosen]


def unfinished(events: Iterable[Event]) -> list[str]:
    """The pods that were launched and have not ended, by name, in the order of their launch: what an executor was
    doing when its journal stops.
    """
    pods: dict[str, str] = {}
    for event in events:
        if "pod" not in event:
            continue
        identity = str(event["pod"])
        if event.get("code") == _LAST:
            pods.pop(identity, None)
        elif event.get("code") == _FIRST:
            pods[identity] = str(event.get("name") or identity)
    return list(pods.values())


def _newest_pod(events: Iterable[Event], text: str) -> str:
    named = [
        str(event["pod"])
        for event in events
        if "pod" in event and text in (event["pod"], event.get("task"), event.get("name"), *event.get("tasks", ()))
    ]
    return named[-1] if named else ""


def _about(event: Event, text: str, pod: str) -> bool:
    if pod:
        return event.get("pod") == pod or str(event.get("container", "")).startswith(f"{pod}-")
    return text == event.get("task") or text in event.get("tasks", ())  # refused: it never became a pod


def _end(own: Sequence[Event]) -> float:
    return next((event["seq"] for event in reversed(own) if event.get("code") == _LAST), float("inf"))


def _ms_between(first: Event, event: Event) -> float:
    begin, end = (datetime.fromisoformat(str(each["time"])) for each in (first, event))
    return round((end - begin).total_seconds() * 1e3, 1)
