"""What the executor and its log writer say to each other: one datagram a message. Pure.

    executor -> writer   Open (with the FIFO's reading end beside it), Close
    writer -> executor   the number of a slot whose stream has ended and is written

The executor's end of the socket closed: the executor has ended.
"""

from __future__ import annotations

import struct

_HEAD = struct.Struct("<BIQI")
_SLOT = struct.Struct("<I")
OPEN, CLOSE = 1, 2
MESSAGE_MAX_BYTES = _HEAD.size + 4096


class Open:
    """Append to `path`, which is rotated before it passes `max_bytes` (0: never); `files` older ones are kept."""

    def __init__(self, slot: int, path: str, max_bytes: int, files: int) -> None:
        self.slot, self.path, self.max_bytes, self.files = slot, path, max_bytes, files


class Close:
    """Read what the FIFO still holds, and no longer wait for its writers."""

    def __init__(self, slot: int) -> None:
        self.slot = slot


def pack(message: Open | Close) -> bytes:
    if isinstance(message, Close):
        return _HEAD.pack(CLOSE, message.slot, 0, 0)
    return _HEAD.pack(OPEN, message.slot, message.max_bytes, message.files) + message.path.encode(
        "utf-8", "surrogateescape"
    )


def unpack(data: bytes) -> Open | Close:
    kind, slot, max_bytes, files = _HEAD.unpack_from(data)
    if kind == CLOSE:
        return Close(slot)
    return Open(slot, data[_HEAD.size :].decode("utf-8", "surrogateescape"), max_bytes, files)


def pack_ended(slot: int) -> bytes:
    return _SLOT.pack(slot)


def unpack_ended(data: bytes) -> int:
    return int(_SLOT.unpack(data)[0])
