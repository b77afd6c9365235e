"""The metrics' catalogue, what events add up to, and the text that Prometheus reads."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from prometheus_client.parser import text_string_to_metric_families

from executor.log.codes import CODES
from executor.metrics import catalog, exposition
from executor.metrics.catalog import Kind, Metric
from executor.metrics.counters import Counters, Family, Histogram
from tests.support.cases import check_each

FORBIDDEN_LABELS = {"pod", "task", "container", "name", "role", "namespace", "revocation", "image"}


def shown(counters: Counters, **identity: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the text, without the prefix."""
    text = exposition.text(counters.families(), identity)
    return {
        (sample.name.removeprefix(f"{catalog.PREFIX}_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(counters: Counters, name: str, **labels: str) -> float:
    return shown(counters).get((name, tuple(sorted(labels.items()))), -1.0)


def test_names_follow_the_rules() -> None:
    check_each(((metric.name, metric) for metric in catalog.ALL), follows_the_rules)


def follows_the_rules(metric: Metric) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]*[a-z]", metric.name)
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms"))
    assert metric.help.endswith(".") or metric.help.endswith(").")
    assert set(metric.labels) <= set(catalog.LABELS)
    assert not set(metric.labels) & FORBIDDEN_LABELS
    assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_names_are_unique_and_all_are_listed() -> None:
    names = [metric.name for metric in catalog.ALL]
    assert len(set(names)) == len(names)
    defined = {each for each in vars(catalog).values() if isinstance(each, Metric)}
    assert defined == set(catalog.ALL)
    assert set(catalog.LABELS) == {label for metric in catalog.ALL for label in metric.labels}


def test_every_code_is_there_from_the_start() -> None:
    counters = Counters()
    for code, entry in CODES.items():
        assert value(counters, "events_total", code=code, level=entry.level.name.lower()) == 0


def test_events_are_counted_by_code_and_a_foreign_one_as_well() -> None:
    counters = Counters()
    for _ in range(3):
        counters.append({"code": "pod.refused", "level": "warning"})
    counters.append({"code": "new.code", "level": "info"})
    assert value(counters, "events_total", code="pod.refused", level="warning") == 3
    assert value(counters, "events_total", code="new.code", level="info") == 1


def test_a_launch_becomes_histograms() -> None:
    counters = Counters()
    phases = {"queued": 0.4, "network": 120.0, "start": 30.0}
    for launch_ms in (49.0, 50.0, 51.0, 999_999.0):
        counters.append(
            {
                "code": "pod.running",
                "level": "info",
                "class": "regular",
                "since_launch_ms": launch_ms,
                "phases_ms": phases,
            }
        )
    assert value(counters, "launch_seconds_bucket", **{"class": "regular", "le": "0.05"}) == 2
    assert value(counters, "launch_seconds_bucket", **{"class": "regular", "le": "120"}) == 3
    assert value(counters, "launch_seconds_bucket", **{"class": "regular", "le": "+Inf"}) == 4
    assert value(counters, "launch_seconds_count", **{"class": "regular"}) == 4
    assert value(counters, "launch_seconds_sum", **{"class": "regular"}) == pytest.approx(1000.149)
    assert value(counters, "launch_seconds_count", **{"class": "revocable"}) == 0
    assert value(counters, "launch_phase_seconds_sum", phase="network") == pytest.approx(0.48)


def test_ends_by_state_and_reason() -> None:
    counters = Counters()
    counters.append({"code": "pod.ended", "class": "revocable", "outcome": "TASK_GONE", "reason": "REASON_X"})
    counters.append({"code": "pod.ended", "class": "regular", "outcome": "TASK_FINISHED", "reason": None})
    gone = {"class": "revocable", "outcome": "TASK_GONE", "reason": "REASON_X"}
    finished = {"class": "regular", "outcome": "TASK_FINISHED", "reason": ""}
    assert value(counters, "pods_ended_total", **gone) == 1
    assert value(counters, "pods_ended_total", **finished) == 1


def test_a_receipt_that_is_given_again_frees_once() -> None:
    counters = Counters()
    receipt = {
        "code": "revocation.receipt",
        "level": "info",
        "victims": 3,
        "freed_cpus": 1.5,
        "freed_mem_bytes": 64 << 20,
        "duration_ms": 150.0,
    }
    for state in ("running", "stuck", "done"):
        counters.append({**receipt, "state": state})
    counters.append({"code": "revocation.refused", "level": "warning"})
    counters.append({**receipt, "state": "refused"})
    counters.append({**receipt, "state": "dry-run"})
    states = {state: value(counters, "revocations_total", state=state) for state in ("done", "stuck", "refused")}
    assert states == {"done": 1, "stuck": 1, "refused": 1}
    assert value(counters, "revocation_victims_total") == 3
    assert value(counters, "revocation_freed_cpus_total") == 1.5
    assert value(counters, "revocation_freed_memory_bytes_total") == 64 << 20
    assert value(counters, "revocation_seconds_bucket", le="0.1") == 0
    assert value(counters, "revocation_seconds_bucket", le="0.2") == 1


def test_every_process_that_was_killed_for_memory_counts() -> None:
    counters = Counters()
    labels = {"class": "revocable", "oom": "container"}
    for event in ({"code": "pod.oom"}, {"code": "pod.child_oom", "count": 3}):
        counters.append({"level": "warning", **event, **labels})
    assert value(counters, "oom_kills_total", **labels) == 4


def test_a_record_that_lacks_everything_is_an_event_all_the_same() -> None:
    counters = Counters()
    for code in ("pod.running", "pod.ended", "pod.leaked", "revocation.receipt"):
        counters.append({"code": code, "level": "info"})
    assert value(counters, "leaks_total", what="") == 1


def test_the_identity_is_on_every_sample_where_it_is_asked_for() -> None:
    samples = shown(Counters(), framework="f-1", executor='e"\\\n')
    assert samples
    for _, labels in samples:
        assert dict(labels)["framework"] == "f-1" and dict(labels)["executor"] == 'e"\\\n'


def test_an_identity_does_not_double_a_label() -> None:
    family = Family(catalog.INFO, {("1", "f", "e", "a"): 1.0})
    text = exposition.text([family], {"framework": "f", "executor": "e"})
    assert text.count('framework="f"') == 1


def test_a_copy_does_not_change_with_its_original() -> None:
    histogram = Histogram((1.0,))
    copy = histogram.copy()
    histogram.observe(0.5)
    assert (copy.counts, copy.sum, histogram.counts) == ([0, 0], 0.0, [1, 0])


def test_counting_does_not_load_the_client_library() -> None:
    modules = "sys, executor.process.run, executor.metrics.counters, executor.metrics.endpoint"
    program = f"import {modules}\nprint('prometheus_client' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ran.stdout == "False\n"
