"""A stream of records cut anywhere gives the records; anything else is noticed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import MesosFailure
from executor.mesos.recordio import RECORD_MAX_BYTES, Records


def stream_of(records: list[bytes]) -> bytes:
    return b"".join(b"%d\n%s" % (len(record), record) for record in records)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(bounds)]


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(min_value=0), max_size=20))
def test_cut_anywhere(records: list[bytes], cuts: list[int]) -> None:
    reader = Records()
    found = [record for piece in pieces(stream_of(records), cuts) for record in reader.feed(piece)]
    assert found == records


def test_every_single_cut_and_byte_by_byte() -> None:
    records = [b'{"type": "HEARTBEAT"}', b"", b"12\n34", b"x" * 200]
    data = stream_of(records)
    for cut in range(len(data) + 1):
        reader = Records()
        assert [*reader.feed(data[:cut]), *reader.feed(data[cut:])] == records
    reader = Records()
    assert [record for byte in data for record in reader.feed(bytes([byte]))] == records


def test_a_record_waits_for_its_last_byte() -> None:
    reader = Records()
    assert list(reader.feed(b"3\nab")) == []
    assert list(reader.feed(b"c")) == [b"abc"]


@pytest.mark.parametrize(
    "garbage", [b"\n", b"x", b"-1\n", b" 3\nabc", b"3 \nabc", b"12345678901", b"%d\n" % (RECORD_MAX_BYTES + 1), b"{}"]
)
def test_garbage(garbage: bytes) -> None:
    records = Records().feed(b"2\nok" + garbage)
    assert next(records) == b"ok"
    with pytest.raises(MesosFailure):
        next(records)


def test_garbage_is_noticed_however_it_is_cut() -> None:
    reader = Records()
    assert list(reader.feed(b"12")) == []
    with pytest.raises(MesosFailure):
        list(reader.feed(b"a"))
