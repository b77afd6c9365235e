"""The operator API against servers that lead elsewhere, refuse, stall, die and lie."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from executor.errors import Failure, InvalidConfig, MesosFailure
from executor.mesos.operator import Keys, NotAMaster, Operator, Source, credential
from executor.mesos.operator.messages import Event, State
from tests.unit.dns.samples import state_json, task

Answer = Callable[["Handler", str], None]


class Handler(BaseHTTPRequestHandler):
    answer: Answer

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).answer(self, call["type"])

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, *documents: Any) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"".join(record(document) for document in documents))

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    handler = type("Answering", (Handler,), {"answer": answer})
    with _Server(("127.0.0.1", 0), handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{made.server_address[1]}"
        finally:
            made.shutdown()
            thread.join()


def record(document: Any) -> bytes:
    data = json.dumps(document).encode()
    return f"{len(data)}\n".encode() + data


def master(handler: Handler, kind: str) -> None:
    assert kind == "SUBSCRIBE"
    state = {"get_state": state_json(task("web", "10.0.0.2"))}
    handler.stream({"type": "SUBSCRIBED", "subscribed": state}, {"type": "HEARTBEAT"})


def agent(handler: Handler, kind: str) -> None:
    if kind == "SUBSCRIBE":
        handler.reply(400, b"Failed to validate agent::Call: Expecting 'type' to be present")
    else:
        document = {"type": "GET_STATE", "get_state": state_json(task("web", "10.0.0.2"), agents=None)}
        handler.reply(200, json.dumps(document).encode())


def test_a_master_s_stream_begins_with_its_state() -> None:
    with server(master) as endpoint:
        items = Source([endpoint], "", 0.1).follow()
        first, second = next(items), next(items)
        assert isinstance(first, State) and len(first.get_tasks.tasks) == 1
        assert isinstance(second, Event) and second.type == "HEARTBEAT"
        with pytest.raises(MesosFailure, match="ended the stream"):
            next(items)


def test_an_agent_is_asked_again_and_again() -> None:
    with server(agent) as endpoint:
        items = Source([endpoint], "", 0.01).follow()
        for _ in range(3):
            item = next(items)
            assert isinstance(item, State) and len(item.get_tasks.launched_tasks) == 1
        with pytest.raises(NotAMaster):
            Operator(endpoint).subscribe()


def test_the_leader_is_followed() -> None:
    with server(master) as leader:

        def standby(handler: Handler, _: str) -> None:
            handler.reply(307, Location=f"//{leader}/api/v1")

        with server(standby) as endpoint:
            assert isinstance(next(Source([endpoint], "", 0.1).follow()), State)


def test_masters_that_point_at_each_other_end() -> None:
    def standby(handler: Handler, _: str) -> None:
        handler.reply(307, Location=f"//{handler.headers['Host']}/api/v1")

    with server(standby) as endpoint, pytest.raises(MesosFailure, match="from one master to the next"):
        Operator(endpoint).subscribe()


def test_the_next_endpoint_is_tried() -> None:
    with server(master) as endpoint:
        assert isinstance(next(Source(["127.0.0.1:1", endpoint], "", 0.1).follow()), State)
    with pytest.raises(MesosFailure, match=r"127\.0\.0\.1:1.*127\.0\.0\.1:2"):
        next(Source(["127.0.0.1:1", "127.0.0.1:2"], "", 0.1).follow())


@pytest.mark.parametrize(("status", "words"), [(401, "credential_file"), (403, "credential_file"), (503, "503: why")])
def test_a_refusal_says_what_to_do(status: int, words: str) -> None:
    with server(lambda handler, _: handler.reply(status, b"why")) as endpoint:
        with pytest.raises(MesosFailure, match=words):
            Operator(endpoint).state()
        with pytest.raises(MesosFailure, match=words):
            Operator(endpoint).subscribe()


def test_the_credential_is_sent(tmp_path: Path) -> None:
    seen: list[str] = []

    def answer(handler: Handler, kind: str) -> None:
        seen.append(handler.headers["Authorization"])
        master(handler, kind)

    path = tmp_path / "credential"
    path.write_text("reader  s3cret\n")
    with server(answer) as endpoint:
        next(Operator(endpoint, credential(path)).subscribe())
    assert seen == ["Basic cmVhZGVyOnMzY3JldA=="]
    assert credential(tmp_path / "missing") == ""
    path.write_text("only-one-word")
    with pytest.raises(InvalidConfig):
        credential(path)
    with pytest.raises(Failure):
        credential(tmp_path)


@pytest.mark.parametrize("body", [b"nonsense", b"5\nab", b"-1\n{}", b"99999999999999\n", b"2\n[]", b"x" * 64])
def test_a_stream_of_garbage_is_a_failure(body: bytes) -> None:
    def garbage(handler: Handler, _: str) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    with server(garbage) as endpoint, pytest.raises(MesosFailure):
        list(Operator(endpoint).subscribe())


@pytest.mark.parametrize(
    "endpoint", ["", "host", "host:port", "ftp://h:1", "http://:5050", "zk://a:2181/mesos", "h:99999"]
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidConfig):
        Operator(endpoint)


@pytest.mark.parametrize("endpoint", ["10.0.0.1:5050", "http://m:5050", "https://m:5050", "[::1]:5050"])
def test_endpoints(endpoint: str) -> None:
    assert Operator(endpoint).endpoint == endpoint


def test_somebody_must_be_asked() -> None:
    with pytest.raises(InvalidConfig):
        Source([], "", 1.0)


def test_containers_of_an_agent() -> None:
    nested = {"container_id": {"value": "b", "parent": {"value": "a"}}, "framework_id": {"value": "f"}}
    answers: list[dict[str, Any]] = [{"get_containers": {"containers": [{"container_id": {"value": "a"}}, nested]}}, {}]

    def answer(handler: Handler, kind: str) -> None:
        handler.reply(200, json.dumps({"type": kind, **answers.pop(0)}).encode())

    with server(answer) as endpoint:
        assert Operator(endpoint).containers() == {"a", "a.b"}
        assert Operator(endpoint).containers() == frozenset(), "an agent without containers says nothing of them"


@pytest.mark.parametrize("leads", [True, False])
def test_a_master_in_the_place_of_an_agent_is_named(monkeypatch: pytest.MonkeyPatch, leads: bool) -> None:
    """A standby master points to the leader, whose `/state` says who leads; an agent does neither."""

    def get(handler: Handler) -> None:
        if leads:
            handler.reply(200, json.dumps({"id": "m", "leader": "master@10.0.0.1:5050", "slaves": []}).encode())
        else:
            handler.reply(307, Location="//10.0.0.1:5050/state")

    monkeypatch.setattr(Handler, "do_GET", get, raising=False)
    with server(master) as endpoint, pytest.raises(MesosFailure, match="is a master, and no agent") as caught:
        Operator(endpoint, keys=Keys("[lending] agent")).agent()
    assert caught.value.subject == endpoint and "[lending] agent" in caught.value.hint
