"""A namespace with more objects than anybody can use, and what is read of it."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from executor.netlink import requests, watch

HEADER = struct.Struct("=IHHII")
NEWLINK, DONE, MULTI = 16, 3, 2
IFNAME, STATS64 = 3, 23
LINK = struct.pack("=BxHiII", 0, 1, 7, 1, 0)
COUNTED = LINK + struct.pack("=HH8s", 12, IFNAME, b"veth000") + struct.pack("=HH192x", 196, STATS64)


def message(kind: int, sequence: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, MULTI, sequence, 0) + body


@contextlib.contextmanager
def kernel(links: int | None, link: bytes = LINK) -> Iterator[socket.socket]:
    """Answers one dump of links as the kernel does; None: without an end."""
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def answer() -> None:
        _, _, _, sequence, _ = HEADER.unpack_from(other.recv(1 << 16))
        with contextlib.suppress(OSError):
            for _ in itertools.count() if links is None else range(links // 100):
                other.send(message(NEWLINK, sequence, link) * 100)
            other.send(message(DONE, sequence, struct.pack("=i", 0)))

    thread = threading.Thread(target=answer)
    thread.start()
    own.settimeout(5)
    try:
        yield own
    finally:
        own.close()
        thread.join()
        other.close()


def test_as_many_objects_as_are_allowed_are_read() -> None:
    with kernel(requests.OBJECTS_MAX) as sock:
        assert len(requests.links(sock).links) == requests.OBJECTS_MAX


def test_the_memory_of_a_request_is_that_of_what_it_returns() -> None:
    """The messages of a node with many links are not in memory at once."""
    with kernel(100, COUNTED) as sock:
        requests.links(sock)  # loads the documents
    with kernel(3_000, COUNTED) as sock:
        tracemalloc.start()
        try:
            found = requests.links(sock)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(found.links) == 3_000
    assert peak_bytes < 4 << 20


@pytest.mark.parametrize("links", [requests.OBJECTS_MAX + 100, None])
def test_more_of_them_are_an_error(links: int | None) -> None:
    with kernel(links) as sock, pytest.raises(OSError, match=f"more than {requests.OBJECTS_MAX}") as caught:
        requests.links(sock)
    assert caught.value.errno == errno.EOVERFLOW


def test_a_flood_of_changes_leaves_the_event_loop_its_turns() -> None:
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with own, other:
        own.setblocking(False)
        for _ in range(100):
            other.send(b"x")
        first, rest = watch._drained(own), watch._drained(own)
    assert (len(first[0]), first[1]) == (64, False)
    assert (len(rest[0]), rest[1]) == (36, True)
