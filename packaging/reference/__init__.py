"""Documents that are made from the code: packaging/doc/events.md, fields.md and metrics.md.

PYTHONPATH=packaging:. .build/venv/bin/python -m reference     writes them; a unit test says when they are stale
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from executor.log.codes import CODES
from executor.log.keys import KEYS
from executor.metrics import catalog
from executor.metrics.catalog import Kind, Metric
from executor.spec.reading import fields

DIRECTORY: Final = Path(__file__).resolve().parents[1] / "doc"

_EVENTS: Final = """\
# Events

Everything that the executor reports has a code: a line of its log ([log] target: stderr, journald, syslog), an event in
`journal.jsonl` beside it, a line of `mesos-pod-executor events`, and a count in the metric
`mesos_pod_executor_events_total{code,level}` are the same event. A code and its level stay; its words may be improved.
`info` is one line per transition, `warning` is tried again or was refused, `error` needs a person.
"""
_KEYS: Final = """
## Keys

A line has these keys and no others, each with one meaning (schema/event.json).
"""
_FIELDS: Final = """\
# Fields

What the executor does with each field of a pod and of a task. `supported`: the field has its effect. `accepted`: the
field has no effect here, and the pod needs none. `refused`: TASK_FAILED, REASON_TASK_INVALID, with the field in the
message; a value that asks for nothing (false, empty) passes. A field that is not listed is refused.
`mesos-pod-executor validate FILE` says so before the launch.

"""
_METRICS: Final = """\
# Metrics

Prometheus' text format, from any of these:

- A textfile for node_exporter, from a timer: `mesos-pod-executor metrics --textfile PATH`. All executors of a node are
  in one file, and differ in the labels `framework` and `executor`; nothing listens on a port.
- A port on 127.0.0.1 (`[control] metrics_port`), for a node with one executor; samples have no such labels then, but
  `mesos_pod_executor_info` has them. Requests within half a second get the same answer.
- The control socket: `curl --unix-socket /run/mesos-pod-executor/CONTAINER.sock http://localhost/metrics`, with
  `?identity=1` for the labels.

A scrape costs about 3 ms of CPU time, and 0.2 ms for each pod with networks of its own; the first one loads the client
library (30 ms, 2 MB). No label is a pod, a task,
a container or a role, so the number of series does not grow with what runs. A dashboard is in packaging/grafana, alert
rules with their tests are in packaging/prometheus.
"""


def documents() -> dict[str, str]:
    """Name to text."""
    return {
        "events.md": "".join(_events()),
        "fields.md": _FIELDS + fields.markdown(),
        "metrics.md": "".join(_metrics()),
    }


def _events() -> Iterator[str]:
    yield _EVENTS
    for area, codes in groupby(sorted(CODES), lambda code: code.partition(".")[0]):
        yield f"\n## {area}\n\n"
        rows = ((f"`{code}`", ", ".join(CODES[code].levels), CODES[code].meaning, CODES[code].action) for code in codes)
        yield _table(("code", "level", "what happened", "what to do"), rows)
    yield f"{_KEYS}\n"
    yield _table(("key", "meaning"), ((f"`{key}`", text) for key, text in KEYS.items()))


def _metrics() -> Iterator[str]:
    yield _METRICS
    groups = (
        ("Counted from events", catalog.FROM_EVENTS),
        ("Read when asked", catalog.WHEN_ASKED),
        ("Added by the command", catalog.BY_COMMAND),
    )
    for title, metrics in groups:
        yield f"\n## {title}\n\n"
        yield _table(("name", "kind", "labels", "meaning"), map(_row, metrics))
    yield "\n## Labels\n\n"
    yield _table(("label", "values"), ((f"`{label}`", text) for label, text in catalog.LABELS.items()))


def _row(metric: Metric) -> Sequence[str]:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    kind = str(metric.kind)
    if metric.kind is Kind.HISTOGRAM:
        kind += f" ({', '.join(f'{bound:g}' for bound in metric.buckets)})"
    return f"`{metric.full_name}`", kind, labels, metric.help


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
