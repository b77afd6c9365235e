"""The HTTP parser under pymesos: cut anywhere, the body comes out whole; broken, it says so."""

from __future__ import annotations

import itertools
import select
import socket

import pytest
from http_parser.http import HTTP_REQUEST, HttpParser
from hypothesis import given
from hypothesis import strategies as st

import executor.mesos.pymesos_fixes  # noqa: F401 imports pymesos without its side effects

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMesos-Stream-Id: 7\r\nX: a\r\nX: b\r\n\r\n"


def parse(*pieces: bytes) -> tuple[HttpParser, bytes]:
    parser, body = HttpParser(), b""
    for piece in pieces:
        assert parser.execute(piece, len(piece)) == len(piece), parser.get_error()
        if parser.is_partial_body():
            body += parser.recv_body()
    return parser, body


def chunks(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6), st.lists(st.integers(min_value=0), max_size=12))
def test_cut_anywhere(parts: list[bytes], cuts: list[int]) -> None:
    data = HEAD + chunks(parts) + b"0\r\n\r\n"
    bounds = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    pieces = [data[begin:end] for begin, end in itertools.pairwise(bounds) if end > begin]
    parser, body = parse(*pieces)
    assert body == b"".join(parts)
    assert parser.is_message_complete()
    assert parser.get_errno() == 0


def test_headers() -> None:
    parser, _ = parse(HEAD)
    assert parser.is_headers_complete()
    assert not parser.is_message_complete()
    assert parser.get_status_code() == 200
    assert parser.is_chunked()
    assert parser.get_headers() == {"Transfer-Encoding": "chunked", "Mesos-Stream-Id": "7", "X": "a, b"}


def test_nothing_is_known_before_the_headers_are_complete() -> None:
    parser, body = parse(HEAD[:-2])
    assert not parser.is_headers_complete()
    assert (parser.get_status_code(), parser.get_headers(), parser.is_chunked(), body) == (0, {}, False, b"")


def test_a_refusal_with_a_length() -> None:
    parser, body = parse(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno")
    assert (parser.get_status_code(), body, parser.is_message_complete()) == (400, b"no", True)
    assert not parser.is_chunked()


def test_a_body_that_ends_with_the_connection() -> None:
    parser, body = parse(b"HTTP/1.1 500 Oops\r\n\r\nwhy", b"")
    assert (body, parser.is_message_complete()) == (b"why", True)


def test_what_follows_the_message_is_not_understood() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1"
    parser = HttpParser()
    assert parser.execute(data, len(data)) == len(data) - len("HTTP/1.1")
    assert parser.recv_body() == b"ok"


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01 TLS\r\n\r\n", b"SSH-2.0-OpenSSH\r\n\r\n", HEAD + b"xyz\r\n", HEAD + b"2\r\nabc\r\n"]
)
def test_garbage_is_an_error_that_stays(data: bytes) -> None:
    parser = HttpParser()
    assert parser.execute(data, len(data)) < len(data)
    assert parser.get_errno() == 1
    assert parser.get_error()
    assert parser.execute(HEAD, len(HEAD)) == 0


def test_an_end_in_the_middle_is_an_error() -> None:
    parser, _ = parse(HEAD, b"5\r\nab")
    parser.execute(b"", 0)
    assert parser.get_errno() == 1
    assert not parser.is_message_complete()


def test_what_it_cannot_do_it_refuses() -> None:
    with pytest.raises(NotImplementedError):
        HttpParser(HTTP_REQUEST)
    with pytest.raises(NotImplementedError):
        HttpParser(decompress=True)


class Callback:
    """What pymesos' Connection needs of its driver."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.stream_id = ""
        self.closed = False

    def gen_request(self) -> bytes:
        return b"POST / HTTP/1.1\r\n\r\n"

    def process_event(self, event: object) -> None:
        self.events.append(event)

    def on_close(self) -> None:
        self.closed = True


def test_pymesos_as_it_is_reads_its_stream_through_it() -> None:
    """Without any of our overrides, as pymesos' scheduler driver would."""
    from pymesos.process import Connection

    data = HEAD + chunks([b'17\n{"type": "ERROR"}', b"19\n{", b'"type": "LAUNCH"}'.ljust(18)])
    callback = Callback()
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection(f"127.0.0.1:{server.getsockname()[1]}", callback)
        agent, _ = server.accept()
        with agent:
            for byte in data:
                agent.sendall(bytes([byte]))
                select.select([connection], [], [], 5)
                assert connection.read()
            agent.sendall(chunks([b""]))
            select.select([connection], [], [], 5)
            assert not connection.read()
        connection.close()
    assert callback.events == [{"type": "ERROR"}, {"type": "LAUNCH"}]
    assert callback.stream_id == "7"
    assert callback.closed
