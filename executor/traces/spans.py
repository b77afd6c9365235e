"""The spans of one launch, out of the events of its pod. Pure.

    launch                      from the launch's arrival until all containers run, or it ended
    ├── set-up                  images, queue, pod sandbox, network and containers are made
    │   ├── images, queued, sandbox, network, containers       (of a launch that succeeded)
    ├── init containers         where there are any
    └── start                   the containers are started

The five phases of a set-up follow each other; network and containers overlap where no container needs the pod's
address. Events have the duration of a phase and not its begin, which is computed from this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from executor.spec.trace_context import ANNOTATION, parent

Event = Mapping[str, Any]

ROOT: Final = "launch"
SETUP: Final = "set-up"
INIT: Final = "init containers"
START: Final = "start"
_STAGES: Final = MappingProxyType({"pod.setting_up": SETUP, "pod.initializing": INIT, "pod.starting": START})
_ENDS: Final = frozenset({"pod.running", "pod.stopping", "pod.destroying", "pod.tearing_down", "pod.ended"})
_OVERLAP_MS: Final = 5.0
"""How much the sum of the phases may be above the time of the set-up, by rounding and by the gaps between events."""
_ATTRIBUTES: Final = MappingProxyType(
    {
        "pod": "mesos_pod_executor.pod",
        "class": "mesos_pod_executor.class",
        "task": "mesos.task.id",
        "role": "mesos.role",
        "name": "k8s.pod.name",
        "namespace": "k8s.namespace.name",
        "outcome": "mesos.task.state",
        "reason": "mesos.task.reason",
    }
)


@dataclass(frozen=True)
class Span:
    """Times are seconds since the epoch. `parent` is the name of another span of the trace; empty for the root."""

    name: str
    parent: str
    begin_s: float
    end_s: float
    attributes: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Trace:
    """`trace_id` and `span_id` are hexadecimal: those of the span of another program that asked for the launch, by
    `traceparent` of W3C; empty without one.
    """

    spans: tuple[Span, ...]
    trace_id: str = ""
    span_id: str = ""


@dataclass
class Launch:
    """What is known of one launch so far."""

    accepted: Event
    begin_s: float
    stages: list[tuple[str, float]] = field(default_factory=list)

    def follow(self, event: Event, at_s: float) -> Trace | None:
        """The trace, once an event ends the launch."""
        code = str(event.get("code"))
        if stage := _STAGES.get(code):
            self.stages.append((stage, at_s))
            return None
        return self._trace(event, at_s) if code in _ENDS else None

    def _trace(self, last: Event, end_s: float) -> Trace:
        ids = parent(str(self.accepted.get(ANNOTATION, ""))) or ("", "")
        return Trace((self._root(last, end_s), *self._below(last, end_s)), *ids)

    def _root(self, last: Event, end_s: float) -> Span:
        known = {**self.accepted, **{key: last[key] for key in ("outcome", "reason") if last.get(key)}}
        attributes = {name: str(known[key]) for key, name in _ATTRIBUTES.items() if known.get(key)}
        error = "" if last.get("code") == "pod.running" else str(last.get("error") or last.get("message") or "ended")
        return Span(ROOT, "", self.begin_s, end_s, attributes, error)

    def _below(self, last: Event, end_s: float) -> Iterator[Span]:
        ends = [*(begin_s for _, begin_s in self.stages[1:]), end_s]
        for (name, begin_s), stage_end_s in zip(self.stages, ends, strict=False):  # none before the first stage
            failed = last.get("code") != "pod.running" and stage_end_s == end_s
            yield Span(name, ROOT, begin_s, stage_end_s, error="the launch ended here" if failed else "")
            if name == SETUP:
                yield from _phases(last.get("phases_ms") or {}, begin_s, stage_end_s)


def _phases(took_ms: Mapping[str, float], begin_s: float, end_s: float) -> Iterator[Span]:
    at_s = begin_s
    for name in ("images", "queued", "sandbox"):
        if name in took_ms:
            yield Span(name, SETUP, at_s, at_s + took_ms[name] / 1e3)
            at_s += took_ms[name] / 1e3
    network_s, containers_s = (took_ms.get(name, 0.0) / 1e3 for name in ("network", "containers"))
    is_sequence = at_s + network_s + containers_s <= end_s + _OVERLAP_MS / 1e3
    if "network" in took_ms:
        yield Span("network", SETUP, at_s, at_s + network_s)
    if "containers" in took_ms:
        first_s = at_s + network_s if is_sequence else at_s
        yield Span("containers", SETUP, first_s, first_s + containers_s)
