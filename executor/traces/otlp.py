"""Traces as an ExportTraceServiceRequest in the JSON of OTLP. Pure.

Source: opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding": ids are hexadecimal, and not base64 as
protobuf's own JSON has bytes; enums are numbers; 64-bit integers are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from executor.traces.spans import Span, Trace

Json = dict[str, Any]
SCOPE: Final = "mesos-pod-executor"
_INTERNAL, _SERVER, _ERROR = 1, 2, 2
TRACE_BYTES, SPAN_BYTES = 16, 8


def request(traces: Iterable[Trace], resource: Mapping[str, str], ids: Callable[[int], str]) -> Json:
    """`ids(n)` makes a new id of n bytes, in hexadecimal."""
    spans = [span for trace in traces for span in _spans(trace, ids)]
    scope = {"scope": {"name": SCOPE}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}


def _spans(trace: Trace, ids: Callable[[int], str]) -> Iterable[Json]:
    trace_id = trace.trace_id or ids(TRACE_BYTES)
    own = {span.name: ids(SPAN_BYTES) for span in trace.spans}
    for span in trace.spans:
        yield _span(span, trace_id, own[span.name], own.get(span.parent, trace.span_id))


def _span(span: Span, trace_id: str, span_id: str, parent: str) -> Json:
    document: Json = {
        "traceId": trace_id,
        "spanId": span_id,
        "name": span.name,
        "kind": _INTERNAL if span.parent else _SERVER,
        "startTimeUnixNano": _nanoseconds(span.begin_s),
        "endTimeUnixNano": _nanoseconds(max(span.begin_s, span.end_s)),
        "attributes": _attributes(span.attributes),
    }
    document |= {"parentSpanId": parent} if parent else {}
    return document | ({"status": {"code": _ERROR, "message": span.error}} if span.error else {})


def _attributes(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _nanoseconds(at_s: float) -> str:
    return str(round(at_s * 1e6) * 1000)
