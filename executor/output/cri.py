"""The log format of the CRI, which the collectors of Kubernetes read: each line is an entry with its time and stream.

    2026-01-02T03:04:05.000000006Z stdout F a line
    2026-01-02T03:04:05.000000006Z stdout P a piece of a line, which the next entry continues

`P` is a piece without the end of its line: one that is longer than an entry may be, or that had not come whole. Every
other byte is as the container wrote it. The log writer imports this, so it imports little. Pure.
Source: kubernetes/design-proposals-archive, node/kubelet-cri-logging.md; containerd's internal/cri/io/logger.go.
"""

from __future__ import annotations

import time

CONTENT_BYTES = 16 << 10
"""The most that one entry has, as containerd's max_container_log_line_size."""
HEAD_BYTES = 64
"""More than what an entry has before its content, and its end."""
_FULL, _PARTIAL = b"F", b"P"


class Encoded:
    """Entries as they go into a file: `data`."""

    __slots__ = ("_ends", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self._ends: list[tuple[int, int, bool]] = []

    def add(self, head: bytes, source: bytearray, begin: int, end: int, *, full: bool) -> None:
        """The entry of `source[begin:end]`, which has no newline."""
        self.data += head + (_FULL if full else _PARTIAL) + b" "
        self.data += memoryview(source)[begin:end]
        self.data += b"\n"
        self._ends.append((len(self.data), end + full, not full))

    def whole(self, written_bytes: int) -> tuple[int, bool]:
        """Where in the source the entries end that are whole in the first `written_bytes` of `data`, and whether the
        last of them is a piece; 0: none is whole.
        """
        found = ((source, piece) for end, source, piece in reversed(self._ends) if end <= written_bytes)
        return next(found, (0, False))


def encode(source: bytearray, begin: int, end: int, stream: str, at_ns: int, *, most_bytes: int) -> Encoded:
    """The entries of `source[begin:end]`, which came at `at_ns`, nanoseconds since the epoch; the content of none is
    longer than `most_bytes`.
    """
    head = f"{_stamp(at_ns)} {stream} ".encode()
    found = Encoded()
    while begin < end:
        newline = source.find(b"\n", begin, min(end, begin + most_bytes + 1))
        if newline >= 0:
            found.add(head, source, begin, newline, full=True)
            begin = newline + 1
        else:
            piece_end = min(end, begin + most_bytes)
            found.add(head, source, begin, piece_end, full=False)
            begin = piece_end
    return found


def line_end(stream: str, at_ns: int) -> bytes:
    """The entry that ends a line of which only pieces came."""
    return f"{_stamp(at_ns)} {stream} F \n".encode()


def _stamp(at_ns: int) -> str:
    seconds, rest = divmod(at_ns, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def is_piece(entry: bytes) -> bool:
    """Whether the next entry continues this one."""
    return _parts(entry)[0] == _PARTIAL


def content(entry: bytes) -> bytes:
    """What the container wrote, with the end of its line if that has come. `entry` is without its newline. What is no
    entry, as the beginning of one on a disk that was full, is a line.
    """
    tag, text = _parts(entry)
    return text if tag == _PARTIAL else text + b"\n"


def decode(data: bytes) -> bytes:
    """What the container wrote, of whole entries."""
    return b"".join(map(content, data.removesuffix(b"\n").split(b"\n"))) if data else b""


def _parts(entry: bytes) -> tuple[bytes, bytes]:
    parts = entry.split(b" ", 3)
    if len(parts) == 4 and parts[1] in (b"stdout", b"stderr") and parts[2] in (_FULL, _PARTIAL):
        return parts[2], parts[3]
    return _FULL, entry
