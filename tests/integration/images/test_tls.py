"""Certificates of a registry and of the hosts that it names."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from executor.images.failures import PullFailure
from executor.images.registry.hosts import Endpoint
from tests.integration.images.pulls import Node, fresh
from tests.support.registry import Registry, certificates, docker_config
from tests.unit.images.registry.scripted import Reply, Scripted
from tests.unit.images.registry.test_trust import CONTENT, layer, redirects_to, repository


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    certificates(directory)
    return directory


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_verification_that_is_skipped_for_one_host_is_not_skipped_for_others(tls: Path) -> None:
    with (
        Scripted(lambda _: Reply(200, body=CONTENT), tls=tls) as target,
        Scripted(redirects_to(lambda: f"https://{target.host}/blob"), tls=tls) as registry,
    ):
        skipping = Endpoint(f"https://{registry.host}/v2", skip_verify=True)
        with pytest.raises(PullFailure, match=r"CERTIFICATE_VERIFY_FAILED"):
            layer(repository(registry.host, skipping))
        assert target.seen == []

        known = Endpoint(f"https://{registry.host}/v2", skip_verify=True, ca=(tls / "ca.crt",))
        assert layer(repository(registry.host, known)) == CONTENT


@contextlib.contextmanager
def tunnels_to(port: int) -> Iterator[tuple[str, list[str]]]:
    """A proxy whose every tunnel leads to a port of this machine: its URL, and what it was asked for."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_CONNECT(self) -> None:
            seen.append(self.path)
            self.close_connection = True
            with socket.create_connection(("127.0.0.1", port)) as far:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=pass_on, args=(far, self.connection))
                back.start()
                pass_on(self.connection, far)
                back.join()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", seen
        server.shutdown()
        thread.join()


def pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.mark.root
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
async def test_a_registry_behind_a_proxy(here: Node, secure: Registry) -> None:
    secure.push("team/app", "1", fresh())
    here.hosts("registry.test", "skip_verify = true")
    credentials = docker_config("registry.test")
    with tunnels_to(secure.port) as (proxy, seen):
        done = await here.pull("registry.test/team/app:1", https_proxy=proxy, credentials=credentials)
        assert done.phase == "done" and set(seen) == {"registry.test:443"}
        with pytest.raises(PullFailure, match="cannot be reached: "):
            await here.pull(
                "registry.test/team/app:1", https_proxy=proxy, no_proxy=("registry.test",), credentials=credentials
            )
