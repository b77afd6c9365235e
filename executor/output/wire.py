"""What the executor and its log writer say to each other: one datagram a message.

    executor -> writer   Open (with the FIFO's reading end beside it), Close
    writer -> executor   the number of a slot whose stream has ended and is written

The executor's end of the socket closed: the executor has ended.
"""

from __future__ import annotations

import struct

from executor.own_directory import OwnDirectory

_HEAD = struct.Struct("<BBIQIQQHH")
_SLOT = struct.Struct("<I")
_STREAMS = ("", "stdout", "stderr")
OPEN, CLOSE, OPEN_RUN = 1, 2, 3
MESSAGE_MAX_BYTES = _HEAD.size + 4096


class Open:
    """Append to the file `name`, which is rotated before it passes `max_bytes` (0: never); `files` older ones stay.
    `run`: a run of the container begins, and no earlier writer had this log open. `stream`: its entries are
    those of cri.py, of this stream; empty: it has what the container wrote.
    """

    def __init__(
        self,
        slot: int,
        directory: OwnDirectory,
        name: str,
        max_bytes: int,
        files: int,
        *,
        run: bool = False,
        stream: str = "",
    ) -> None:
        self.run, self.stream = run, stream
        self.slot, self.directory, self.name, self.max_bytes, self.files = slot, directory, name, max_bytes, files

    @property
    def path(self) -> str:
        """The path of the file."""
        return f"{self.directory.path}/{self.name}"


class Close:
    """Read what the FIFO still holds, and no longer wait for its writers."""

    def __init__(self, slot: int) -> None:
        self.slot = slot


def pack(message: Open | Close) -> bytes:
    """One datagram."""
    if isinstance(message, Close):
        return _HEAD.pack(CLOSE, 0, message.slot, 0, 0, 0, 0, 0, 0)
    base, names = _encoded(message.directory.base), _encoded("/".join((*message.directory.names, message.name)))
    device, inode = message.directory.identity or (0, 0)
    sizes = len(base), len(names)
    kind = OPEN_RUN if message.run else OPEN
    of = _STREAMS.index(message.stream)
    return _HEAD.pack(kind, of, message.slot, message.max_bytes, message.files, device, inode, *sizes) + base + names


def unpack(data: bytes) -> Open | Close:
    """What `pack` made."""
    kind, of, slot, max_bytes, files, device, inode, base_bytes, names_bytes = _HEAD.unpack_from(data)
    if kind == CLOSE:
        return Close(slot)
    at = _HEAD.size + base_bytes
    base, names = _decoded(data[_HEAD.size : at]), _decoded(data[at : at + names_bytes]).split("/")
    directory = OwnDirectory(base, *names[:-1], identity=(device, inode) if inode else None)
    return Open(slot, directory, names[-1], max_bytes, files, run=kind == OPEN_RUN, stream=_STREAMS[of])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def pack_ended(slot: int) -> bytes:
    """That the stream of a slot has ended."""
    return _SLOT.pack(slot)


def unpack_ended(data: bytes) -> int:
    """The slot in what `pack_ended` made."""
    return int(_SLOT.unpack(data)[0])
