from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.mesos.http import CallError, Connection, Records


@given(st.lists(st.binary(max_size=40)), st.integers(1, 7))
def test_records_do_not_depend_on_how_the_bytes_arrive(records: list[bytes], size: int) -> None:
    stream = b"".join(f"{len(record)}\n".encode() + record for record in records)
    reader = Records()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [record for piece in pieces for record in reader.feed(piece)] == records


def _answer(listener: socket.socket, *answers: bytes) -> None:
    """One connection an answer; each is closed behind it."""
    for answer in answers:
        connection, _ = listener.accept()
        with connection:
            request = b""
            while not request.endswith(b"}"):  # closing with something unread would reset the connection
                request += connection.recv(1 << 16)
            connection.sendall(answer)


def test_a_refusal_is_raised_with_its_text_and_a_closed_connection_is_opened_again() -> None:
    accepted, refused = b"HTTP/1.1 202 Accepted\r\n\r\n", b"HTTP/1.1 400 Bad\r\nContent-Length: 3\r\n\r\nwhy"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        thread = threading.Thread(target=_answer, args=(listener, accepted, refused), daemon=True)
        thread.start()
        connection = Connection(f"127.0.0.1:{listener.getsockname()[1]}", "/api/v1")
        assert connection.call({"type": "KILL"}) == {}
        with pytest.raises(CallError, match="KILL: HTTP 400: why") as caught:
            connection.call({"type": "KILL"})
        connection.close()
        thread.join()
    assert (caught.value.status, caught.value.body) == (400, "why")
