"""A registry that sends next to nothing, at each place where it can: no request of it lasts."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from executor.containerd.types import Descriptor
from executor.images.failures import PullFailure
from executor.images.reference import parse as parse_reference
from executor.images.registry.hosts import of_registry
from executor.images.registry.repository import Repository
from tests.unit.images.registry.scripted import Reply, Scripted

SILENCE_S = 0.2
ENOUGH_S = 20 * SILENCE_S
PATIENT_S = 5 * SILENCE_S
"""For a registry that is to succeed: a busy machine may hold it up for longer than SILENCE_S."""
CONTENT = b"x" * (1 << 20)
TARGET = Descriptor("", f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))


@contextlib.contextmanager
def repository(reply: Reply, silence_s: float = SILENCE_S) -> Iterator[Repository]:
    with Scripted(lambda _: reply) as registry:
        endpoint = of_registry(registry.host, plain=True)
        found = Repository(parse_reference(f"{registry.host}/a:1"), [endpoint], (), timeout_s=silence_s)
        try:
            yield found
        finally:
            found.close()


def dripping(head: bytes, drip: bytes, *, pause_s: float = 0.02) -> Callable[[BaseHTTPRequestHandler], None]:
    def write(to: BaseHTTPRequestHandler) -> None:
        to.close_connection = True
        deadline = time.monotonic() + 3 * ENOUGH_S
        with contextlib.suppress(OSError):
            to.wfile.write(head)
            while time.monotonic() < deadline:
                to.wfile.write(drip)
                time.sleep(pause_s)

    return write


def read_layer(found: Repository) -> bytes:
    with found.layer(TARGET, 0).answer as answer:
        return b"".join(iter(answer.chunk, b""))


def read_document(found: Repository) -> bytes:
    return found.document(TARGET, is_manifest=True)


SLOW_HEADERS = Reply(0, write=dripping(b"HTTP/1.1 200 OK\r\n", b"x-more: 1\r\n", pause_s=0.1))
SLOW_STATUS = Reply(0, write=dripping(b"HTTP/1.1 200 ", b"O"))
SLOW_BODY = Reply(200, {"content-length": str(len(CONTENT))}, write=dripping(b"", b"x"))
SLOW_WITHOUT_LENGTH = Reply(200, {"connection": "close"}, write=dripping(b"", b"x"))
SLOW_CHUNK_SIZE = Reply(200, {"transfer-encoding": "chunked"}, write=dripping(b"1\r\nx\r\n", b"0"))
SLOW_TOKEN = Reply(401, {"www-authenticate": 'Bearer realm="/t"'}, write=dripping(b"", b"x"))


@pytest.mark.parametrize("reply", [SLOW_HEADERS, SLOW_STATUS, SLOW_BODY, SLOW_WITHOUT_LENGTH, SLOW_CHUNK_SIZE])
@pytest.mark.parametrize("read", [read_layer, read_document])
def test_a_registry_that_drips_is_given_up(reply: Reply, read: Callable[[Repository], bytes]) -> None:
    with repository(reply) as found:
        begin = time.monotonic()
        with pytest.raises(PullFailure, match=r"too slow|within") as caught:
            read(found)
        assert time.monotonic() - begin < ENOUGH_S
    assert not caught.value.is_lasting


def test_the_time_between_two_reads_is_not_the_registrys() -> None:
    with repository(Reply(200, body=CONTENT), PATIENT_S) as found, found.layer(TARGET, 0).answer as answer:
        data = answer.chunk()
        time.sleep(1.5 * PATIENT_S)
        assert data + b"".join(iter(answer.chunk, b"")) == CONTENT


def test_a_steady_registry_may_take_long() -> None:
    def write(to: BaseHTTPRequestHandler) -> None:
        for at in range(0, len(CONTENT), 1 << 15):
            to.wfile.write(CONTENT[at : at + (1 << 15)])
            time.sleep(0.05)

    with repository(Reply(200, {"content-length": str(len(CONTENT))}, write=write), PATIENT_S) as found:
        begin = time.monotonic()
        assert read_layer(found) == CONTENT
    assert time.monotonic() - begin > 1.5 * PATIENT_S
