"""What happened to one task, out of the journal: its pod's life, the revocations that met it, and what happened to the
whole executor meanwhile. Pure.

An event belongs to a task if it names it, its pod, or a revocation that names either; events of the node (containerd,
the agent, pressure) belong to it while its pod lives, and so do those of the images that it waits for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from executor.errors import InvalidRequest

Event = Mapping[str, Any]

NODE_WIDE = ("containerd.", "mesos.", "pressure.", "executor.stop")
FEW = 3
_SHOWN: Final = 5
_REPEATED = ("outcome", "reason", "error", "actor")
"""Keys that several events of one story say alike."""
_FIRST, _LAST = "pod.accepted", "pod.ended"
_KIND_KEYS = ("code", "container", "exit_code", "probe", "image", "state", "outcome", "revocation", "error")


def timeline(events: Sequence[Event], text: str) -> list[dict[str, Any]]:
    """The events of the newest pod that `text` names (a task id, a pod's id, its name or namespace/name; else the
    beginning of an id), oldest first, each with `since_ms` since the first. Empty if none is known. Raises
    InvalidRequest if several ids begin so.
    """
    pod = _newest_pod(events, text)
    own = [event for event in events if _about(event, text, pod)]
    if not own:
        return []
    revocations = {event["revocation"] for event in own if "revocation" in event}
    first, last = own[0]["seq"], _end(own)
    images = {str(event["image"]) for event in own if event.get("code") == "pod.pulling" and event.get("image")}
    chosen = [
        event
        for event in events
        if _about(event, text, pod)
        or (event.get("revocation") in revocations and "pod" not in event)
        or (first < event["seq"] < last and (_code(event).startswith(NODE_WIDE) or _is_of_image(event, images)))
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


@dataclass(frozen=True)
class Shown:
    """`event` stands for `count` events like it, the first of which came at `first_ms`. `repeated` are the keys of
    which an event before it said the same.
    """

    event: Event
    count: int
    first_ms: float
    repeated: tuple[str, ...] = ()


def collapsed(timeline: Sequence[Event]) -> list[Shown]:
    """The timeline for people: of events that come more than FEW times, the first, and the last for all others."""
    by_kind: dict[tuple[str, ...], list[int]] = {}
    for index, event in enumerate(timeline):
        by_kind.setdefault(_kind(event), []).append(index)
    counts = dict.fromkeys(range(len(timeline)), 1)
    firsts: dict[int, int] = {}
    for indices in by_kind.values():
        if len(indices) > FEW:
            counts |= dict.fromkeys(indices[1:-1], 0)
            counts[indices[-1]] = len(indices) - 1
            firsts[indices[-1]] = indices[1]
    said: dict[str, object] = {}
    shown = []
    for index, event in enumerate(timeline):
        if counts[index]:
            own = {key: event[key] for key in _REPEATED if event.get(key)}
            repeated = tuple(key for key in own if said.get(key) == own[key])
            shown.append(Shown(event, counts[index], timeline[firsts.get(index, index)]["since_ms"], repeated))
            said |= own
    return shown


def _kind(event: Event) -> tuple[str, ...]:
    """What is the same of events that say the same; counts and times are not."""
    texts = (str(event.get(key, "")) for key in _KIND_KEYS)
    return tuple(
        re.sub(r"\d+", "#", text) if key == "error" else text for key, text in zip(_KIND_KEYS, texts, strict=True)
    )


def _newest_pod(events: Sequence[Event], text: str) -> str:
    def named(fits: Callable[[Event], bool]) -> str:
        return next((str(event["pod"]) for event in reversed(events) if "pod" in event and fits(event)), "")

    def whole(event: Event) -> bool:
        names = (event["pod"], event.get("task"), event.get("name"), f"{event.get('namespace')}/{event.get('name')}")
        return text in (*names, *event.get("tasks", ()))

    return named(whole) or _only(text, [str(event["pod"]) for event in events if "pod" in event])


def _only(beginning: str, ids: Iterable[str]) -> str:
    """The one id that begins so; empty if there is none. Raises InvalidRequest."""
    found = list(dict.fromkeys(each for each in ids if each.startswith((beginning, f"pod-{beginning}"))))
    if len(found) > 1:
        shown = ", ".join(found[-_SHOWN:])
        text = f"matches {len(found)} pods, the newest: {shown}"
        raise InvalidRequest(text, subject=f"pod {beginning}", hint="name one by its id")
    return found[0] if found else ""


def _is_of_image(event: Event, images: Collection[str]) -> bool:
    """An image's events have its whole name, a pod the one that its document has."""
    name = str(event.get("image", ""))
    return _code(event).startswith("image.") and any(
        f"/{name}".endswith((f"/{each}", f"/{each}:latest")) for each in images
    )


def _code(event: Event) -> str:
    return str(event.get("code", ""))


def _about(event: Event, text: str, pod: str) -> bool:
    if pod:
        return event.get("pod") == pod or str(event.get("container", "")).startswith(f"{pod}-")
    return text == event.get("task") or text in event.get("tasks", ())  # refused: it never became a pod


def _end(own: Sequence[Event]) -> float:
    return next((event["seq"] for event in reversed(own) if event.get("code") == _LAST), float("inf"))


def _ms_between(first: Event, event: Event) -> float:
    begin, end = (datetime.fromisoformat(str(each["time"])) for each in (first, event))
    return round((end - begin).total_seconds() * 1e3, 1)
