"""The two protocol buffer messages that the shim reads, encoded by hand (mesos.proto, oversubscription.proto). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterable

_LENGTH_DELIMITED = 2


def revocable(name: str, value: float) -> bytes:
    """A mesos.Resource: an unreserved revocable scalar. `mem` and `disk` in MB, `cpus` in cores."""
    scalar = b"\x09" + struct.pack("<d", value)
    return _field(1, name.encode()) + b"\x10\x00" + _field(3, scalar) + _field(9, b"")


def qos_kill(framework_id: str, executor_id: str, container_id: str | None = None) -> bytes:
    """A mesos.slave.QoSCorrection of type KILL."""
    kill = _field(1, _field(1, framework_id.encode())) + _field(2, _field(1, executor_id.encode()))
    if container_id:
        kill += _field(3, _field(1, container_id.encode()))
    return b"\x08\x01" + _field(2, kill)


def framed(messages: Iterable[bytes]) -> bytes:
    """As redirect.cpp reads them: each message after its length in 4 bytes."""
    return b"".join(struct.pack("<I", len(message)) + message for message in messages)


def _field(number: int, value: bytes) -> bytes:
    return bytes([number << 3 | _LENGTH_DELIMITED]) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
