"""The ways to a server that tests cut, and that break by a seed."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faults import Plan
from tests.support.faults_agent import KINDS, AgentFaults
from tests.support.mesos.proxy import Proxy
from tests.support.relay import Relay

EVENT = b"9\r\nan event\n\r\n"


class _Echo(socketserver.StreamRequestHandler):
    """Answers each line with itself, until one is `GET`: the answer to that is a stream of one event."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            for line in self.rfile:
                if line == b"GET\n":
                    self.wfile.write(b"Transfer-Encoding: chunked\r\n\r\n" + EVENT)
                    self.rfile.read()
                self.wfile.write(line)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@pytest.fixture
def server() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Echo) as echo:
        threading.Thread(target=echo.serve_forever, args=(0.01,), daemon=True).start()
        yield "{}:{}".format(*echo.server_address)
        echo.shutdown()


def connected(endpoint: str) -> socket.socket:
    host, _, port = endpoint.rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def answered(endpoint: str, text: bytes) -> bytes:
    """All that the server sends until it has nothing more to send. Raises ConnectionResetError."""
    with connected(endpoint) as sock:
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def test_a_relay_passes_both_ways_to_the_end(server: str) -> None:
    with Relay(server) as relay:
        assert answered(relay.endpoint, b"text\n" * 20_000) == b"text\n" * 20_000


def test_a_cut_ends_what_is_open_and_nothing_later(server: str) -> None:
    with Relay(server) as relay, connected(relay.endpoint) as sock:
        sock.sendall(b"text\n")
        assert sock.recv(10) == b"text\n"
        relay.cut()
        with pytest.raises(ConnectionResetError):
            assert sock.recv(10)
        assert answered(relay.endpoint, b"text\n") == b"text\n"
    with pytest.raises(ConnectionRefusedError):
        connected(relay.endpoint)


def test_an_event_comes_twice_and_late(server: str) -> None:
    with Proxy(server, b"event", copies=2, after=b"now") as proxy, connected(proxy.endpoint) as sock:
        answers = sock.makefile("rb")
        sock.sendall(b"GET\n")
        assert answers.readline() + answers.readline() == b"Transfer-Encoding: chunked\r\n\r\n"
        assert proxy.passed == 0
        sock.sendall(b"now\n")
        assert answers.read(2 * len(EVENT)) == EVENT * 2 and proxy.passed == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_breaks_in_each_way(server: str, kind: str, tmp_path: Path) -> None:
    with AgentFaults(server, tmp_path / "faults") as faults:
        faults.set(Plan(seed=1, rate=1.0, kinds=(kind,), longest_s=0.05))
        if kind == "late":
            assert answered(faults.endpoint, b"text\n") == b"text\n"
        else:
            with connected(faults.endpoint) as sock:
                sock.sendall(b"text\n")
                received: list[bytes] = []
                with pytest.raises(ConnectionResetError):
                    received.extend(iter(lambda: sock.recv(10), b""))
                assert received == [] or (kind, received) == ("reset", [b"text\n"])
        assert [fault["kind"] for fault in faults.injected()] == [kind]
