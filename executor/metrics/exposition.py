"""Families as Prometheus' text format 0.0.4, by prometheus-client.

The library costs some 5 MB and 60 ms: it is imported at the first scrape, never by an executor that is not scraped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Shown

from executor.metrics.catalog import PREFIX, Kind
from executor.metrics.counters import Family, Histogram, Labels

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(families: Iterable[Family], identity: Mapping[str, str]) -> str:
    """The document; `identity` are labels on every sample that does not have them."""
    return generate_latest(_Collector(families, identity)).decode()


class _Collector:
    """All that generate_latest wants of a registry."""

    def __init__(self, families: Iterable[Family], identity: Mapping[str, str]) -> None:
        self._families = families
        self._identity = identity

    def collect(self) -> Iterator[Shown]:
        for family in self._families:
            yield _shown(family, {k: v for k, v in self._identity.items() if k not in family.metric.labels})


def _shown(family: Family, identity: Mapping[str, str]) -> Shown:
    metric = family.metric
    name, names = f"{PREFIX}_{metric.name}", [*identity, *metric.labels]
    if metric.kind is Kind.HISTOGRAM:
        return _histogram(family, name, names, tuple(identity.values()))
    cls = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    shown = cls(name, metric.help, labels=names)
    for labels, value in family.series.items():
        if not isinstance(value, Histogram):
            shown.add_metric([*identity.values(), *labels], value)
    return shown


def _histogram(family: Family, name: str, names: list[str], identity: Labels) -> Shown:
    shown = HistogramMetricFamily(name, family.metric.help, labels=names)
    for labels, value in family.series.items():
        if isinstance(value, Histogram):
            bounds = [*(f"{bound:g}" for bound in value.bounds), "+Inf"]
            buckets = list(zip(bounds, map(float, accumulate(value.counts)), strict=True))
            shown.add_metric([*identity, *labels], buckets, value.sum)
    return shown
