"""What events add up to. A sink of the log: it sees every record that carries a code, from any thread.

Counting costs a lock and an addition; nothing is formatted before a scrape. Series whose labels are known
beforehand exist from the start with 0, for Prometheus' increase() does not see a counter that begins with 1.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from executor.log.codes import CODES
from executor.metrics import catalog
from executor.metrics.catalog import Kind, Metric
from executor.names import PodClass

Labels = tuple[str, ...]
Record = Mapping[str, Any]
OOM_LEVELS: Final = ("container", "pod", "role", "class", "executor", "node")
REVOCATION_STATES: Final = ("done", "stuck", "refused", "dry-run")


@dataclass
class Histogram:
    """`counts` are per bucket, not cumulative; the last is what is above all bounds."""

    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Counts one value, in the metric's unit."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def copy(self) -> Histogram:
        """The present counts."""
        return Histogram(self.bounds, list(self.counts), self.sum)


@dataclass(frozen=True)
class Family:
    """One metric with its series: label values to a number or a Histogram."""

    metric: Metric
    series: Mapping[Labels, float | Histogram]


class Counters:
    """`append` never raises for a record that lacks a key: an event is worth more than its count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[Metric, dict[Labels, float]] = {}
        self._histograms: dict[Metric, dict[Labels, Histogram]] = {}
        for metric in catalog.FROM_EVENTS:
            if metric.kind is Kind.HISTOGRAM:
                self._histograms[metric] = {}
            else:
                self._numbers[metric] = {} if metric.labels else {(): 0.0}
        self._numbers[catalog.EVENTS] = {(code, entry.level.name.lower()): 0.0 for code, entry in CODES.items()}
        self._numbers[catalog.OOM_KILLS] = {(str(each), level): 0.0 for each in PodClass for level in OOM_LEVELS}
        self._numbers[catalog.REVOCATIONS] = {(state,): 0.0 for state in REVOCATION_STATES}
        for metric in (catalog.REVOCATION, catalog.IMAGE_PULL):
            self._histograms[metric] = {(): Histogram(metric.buckets)}
        for pod_class in PodClass:
            self._histograms[catalog.LAUNCH][(str(pod_class),)] = Histogram(catalog.LAUNCH.buckets)

    def append(self, record: Record) -> None:
        """Counts one log record."""
        code = str(record.get("code", ""))
        with self._lock:
            self._add(catalog.EVENTS, (code, str(record.get("level", ""))))
            if (count := _COUNTED.get(code)) is not None:
                count(self, record)

    def families(self) -> Iterable[Family]:
        """A copy of everything, in the catalogue's order."""
        with self._lock:
            numbers = {metric: dict(series) for metric, series in self._numbers.items()}
            histograms = {
                metric: {labels: each.copy() for labels, each in series.items()}
                for metric, series in self._histograms.items()
            }
        for metric in catalog.FROM_EVENTS:
            yield Family(metric, numbers.get(metric) or histograms.get(metric) or {})

    def _add(self, metric: Metric, labels: Labels = (), value: float = 1.0) -> None:
        series = self._numbers[metric]
        series[labels] = series.get(labels, 0.0) + value

    def _observe(self, metric: Metric, labels: Labels, seconds: float) -> None:
        series = self._histograms[metric]
        if labels not in series:
            series[labels] = Histogram(metric.buckets)
        series[labels].observe(seconds)

    def _running(self, record: Record) -> None:
        self._observe(catalog.LAUNCH, (_text(record, "class"),), _number(record, "since_launch_ms") / 1e3)
        phases = record.get("phases_ms")
        for phase, ms in (phases or {}).items():
            self._observe(catalog.LAUNCH_PHASE, (phase,), ms / 1e3)

    def _ended(self, record: Record) -> None:
        labels = (_text(record, "class"), _text(record, "outcome"), _text(record, "reason"))
        self._add(catalog.PODS_ENDED, labels)

    def _oom(self, record: Record) -> None:
        """The first process of a container, or `count` others."""
        self._add(catalog.OOM_KILLS, (_text(record, "class"), _text(record, "oom")), _number(record, "count") or 1.0)

    def _leaked(self, record: Record) -> None:
        self._add(catalog.LEAKS, (_text(record, "what"),))

    def _log_dropped(self, record: Record) -> None:
        self._add(catalog.LOG_DROPPED, (), _number(record, "size_bytes"))

    def _pulled(self, record: Record) -> None:
        self._observe(catalog.IMAGE_PULL, (), _number(record, "duration_ms") / 1e3)
        self._add(catalog.IMAGE_PULL_BYTES, (), _number(record, "size_bytes"))

    def _refused(self, _: Record) -> None:
        self._add(catalog.REVOCATIONS, ("refused",))

    def _receipt(self, record: Record) -> None:
        """A receipt may be given several times, for one that is still running or stuck; what it freed counts once."""
        state = _text(record, "state")
        if state not in REVOCATION_STATES or state == "refused":
            return
        self._add(catalog.REVOCATIONS, (state,))
        if state == "done":
            self._observe(catalog.REVOCATION, (), _number(record, "duration_ms") / 1e3)
            self._add(catalog.REVOCATION_VICTIMS, (), _number(record, "victims"))
            self._add(catalog.REVOCATION_FREED_CPUS, (), _number(record, "freed_cpus"))
            self._add(catalog.REVOCATION_FREED_MEMORY, (), _number(record, "freed_mem_bytes"))


_COUNTED: Final[Mapping[str, Callable[[Counters, Record], None]]] = MappingProxyType(
    {
        "pod.running": Counters._running,
        "pod.ended": Counters._ended,
        "pod.oom": Counters._oom,
        "pod.child_oom": Counters._oom,
        "pod.leaked": Counters._leaked,
        "pod.log_dropped": Counters._log_dropped,
        "image.pulled": Counters._pulled,
        "revocation.refused": Counters._refused,
        "revocation.receipt": Counters._receipt,
    }
)


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return "" if value is None else str(value)


def _number(record: Record, key: str) -> float:
    value = record.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
