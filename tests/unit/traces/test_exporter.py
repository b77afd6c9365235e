"""The exporter against receivers on loopback that take, refuse, hang or are not there; a launch never waits for it."""

from __future__ import annotations

import http.server
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from executor import log
from executor.config import load
from executor.errors import InvalidConfig
from executor.traces import exporter
from executor.traces.exporter import exporting
from tests.unit.traces.test_spans import ACCEPTED, event


class Receiver:
    """Answers with each of `statuses`, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.bodies: list[Any] = []
        left = list(statuses)
        own = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status = left.pop(0) if left else 200
                if status == 200:
                    own.bodies.append((self.path, self.headers["content-type"], body))
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def receiving(*statuses: int) -> Iterator[Receiver]:
    receiver = Receiver(*statuses)
    thread = threading.Thread(target=receiver.server.serve_forever)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def lost() -> Iterator[list[Any]]:
    found: list[Any] = []
    remove = log.add_sink(lambda record: found.append(dict(record)) if record["code"] == "traces.lost" else None)
    yield found
    remove()


def launch(own: exporter.Exporter, pod: str = "pod-1") -> None:
    own.append({**ACCEPTED, "pod": pod})
    own.append({**event("pod.setting_up"), "pod": pod})
    own.append({**event("pod.running", phases_ms={"images": 1.0}), "pod": pod})


@pytest.mark.parametrize("path", ["", "/", "/otlp/v1/traces"])
def test_what_a_receiver_gets(path: str, lost: list[Any]) -> None:
    with receiving() as receiver:
        with exporting(receiver.url + path, {"service.name": "mesos-pod-executor"}) as own:
            launch(own)
            own.append({"code": "executor.started"})
            own.append({"code": "pod.running", "pod": "pod-of-before"})
        ((where, kind, body),) = receiver.bodies
    assert (where, kind) == (path if len(path) > 1 else "/v1/traces", "application/json")
    (resource,) = body["resourceSpans"]
    assert resource["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "mesos-pod-executor"}}
    ]
    assert [each["name"] for each in resource["scopeSpans"][0]["spans"]] == ["launch", "set-up", "images"]
    assert lost == []


def test_a_busy_receiver_is_asked_again(monkeypatch: pytest.MonkeyPatch, lost: list[Any]) -> None:
    with receiving(503, 429) as receiver:
        with exporting(receiver.url, {}) as own:
            launch(own)  # sent without a pause, because the end is near
        assert len(receiver.bodies) == 1
    assert lost == []


def test_one_that_refuses_is_not(lost: list[Any]) -> None:
    with receiving(400) as receiver:
        with exporting(receiver.url, {}) as own:
            launch(own)
        assert receiver.bodies == []
    assert (lost[0]["count"], lost[0]["error"]) == (1, "HTTP status 400")


def test_without_a_receiver_launches_go_on(lost: list[Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        began_s = time.monotonic()
        with exporting(f"http://127.0.0.1:{taken.getsockname()[1]}", {}) as own:
            for number in range(exporter.QUEUE_MAX + 200):
                launch(own, f"pod-{number}")
            assert time.monotonic() - began_s < 1
        assert time.monotonic() - began_s < 10
    assert sum(each["count"] for each in lost) >= 200 and "refused" in lost[0]["error"].lower()


def test_a_receiver_that_hangs_does_not_hold_up_the_end() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began_s = time.monotonic()
        with exporting(f"http://127.0.0.1:{silent.getsockname()[1]}", {}) as own:
            launch(own)
        assert time.monotonic() - began_s < 4


@pytest.mark.parametrize(
    "url", ["127.0.0.1:4318", "ftp://x", "http://", "http://x:99999", "http://u:p@x/", "http://a b"]
)
def test_an_endpoint_that_is_none(url: str) -> None:
    with pytest.raises(InvalidConfig, match="a URL such as"):
        load(f'[traces]\nendpoint = "{url}"\n', {})


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:4318", "https://otlp.example.org/v1/traces", "http://[::1]:4318"]
)
def test_an_endpoint(url: str) -> None:
    assert load(f'[traces]\nendpoint = "{url}"\n', {}).traces.endpoint == url


def test_off_it_is_not_even_imported() -> None:
    program = (
        "import sys, executor.process.run, executor.process.parts, executor.dispatch.dispatcher;"
        " sys.exit(any(name.startswith(('executor.traces', 'http.client')) for name in sys.modules))"
    )
    assert load("", {}).traces.endpoint == ""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
