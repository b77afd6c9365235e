"""Traces of launches, as a receiver of OpenTelemetry's protocol reads them: with the protocol's own messages."""

from __future__ import annotations

import base64
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from preparation import suites
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Receiver(http.server.ThreadingHTTPServer):
    """POST /v1/traces of OTLP, in JSON: requests become protobuf messages, or are refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Any] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        from google.protobuf import json_format
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

        assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/json")
        document = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = trace_service_pb2.ExportTraceServiceRequest()
        json_format.ParseDict(_in_base64(document), message)  # raises for a field that the protocol does not have
        self.server.requests.append(message)
        answer = json_format.MessageToJson(trace_service_pb2.ExportTraceServiceResponse()).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


def _in_base64(document: Any) -> Any:
    """OTLP has ids in hexadecimal, where protobuf's JSON has base64."""
    for resource in document["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return document


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    sys.path.append(str(suites.directory("observability")))
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
    sys.path.pop()


def test_launches_are_traced(rig: Rig, scheduler: Scheduler, receiver: Receiver) -> None:
    endpoint = f"http://127.0.0.1:{receiver.server_port}"
    traced = rig.pod("traced", metadata={"annotations": {"traceparent": PARENT}}, revocable=True)
    broken = rig.pod("broken", container={"image": "registry.invalid/none:1"})
    scheduler.launch([traced, broken], rig.executor("traced", config={"TRACES_ENDPOINT": endpoint}))
    scheduler.wait_status("traced", "TASK_RUNNING", 30)
    scheduler.kill("broken", grace_s=0)
    scheduler.wait_status("broken", "TASK_KILLED", 30)

    def spans() -> list[Any] | None:
        found = [
            span
            for each in receiver.requests
            for resource in each.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return found if sum(each.name == "launch" for each in found) == 2 else None

    found = wait_for(spans, 20)
    assert found is not None, receiver.requests
    (resource, *_) = receiver.requests[0].resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (about["service.name"], about["mesos.executor.id"]) == ("mesos-pod-executor", "traced")
    assert about["mesos.framework.id"] == scheduler.framework_id
    scheduler.kill("traced", grace_s=0)
    scheduler.wait_status("traced", "TASK_KILLED", 30)
    check_tree([each for each in found if each.trace_id.hex() == PARENT[3:35]])
    (failed,) = [each for each in found if each.name == "launch" and each.trace_id.hex() != PARENT[3:35]]
    assert failed.status.code == 2 and "killed" in failed.status.message and not failed.parent_span_id


def check_tree(spans: list[Any]) -> None:
    by_name = {each.name: each for each in spans}
    assert {*by_name} == {"launch", "set-up", "images", "queued", "sandbox", "network", "containers", "start"}
    launch, set_up = by_name["launch"], by_name["set-up"]
    assert launch.parent_span_id.hex() == PARENT[36:52] and launch.status.code == 0
    for name, each in by_name.items():
        above = {"launch": None, "set-up": launch, "start": launch}.get(name, set_up)
        assert above is None or each.parent_span_id == above.span_id, name
        assert each.start_time_unix_nano <= each.end_time_unix_nano <= launch.end_time_unix_nano + 50_000_000, name
    attributes = {each.key: each.value.string_value for each in launch.attributes}
    assert attributes["mesos.task.id"] == "traced" and attributes["mesos_pod_executor.class"] == "revocable"
