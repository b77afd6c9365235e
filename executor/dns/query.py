"""One DNS question over UDP (RFC 1035): for checks of this node's own server. Blocking."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from executor.errors import Failure, TimedOut, reason

NOERROR: Final = 0
NXDOMAIN: Final = 3
_TYPES: Final = {"A": 1, "PTR": 12, "AAAA": 28}
_HEADER: Final = struct.Struct(">6H")
_RECURSE: Final = 0x0100
_POINTER: Final = 0xC0


@dataclass(frozen=True)
class Answer:
    """`values` are addresses or names, sorted."""

    rcode: int
    values: tuple[str, ...]


def ask(server: str, name: str, kind: str = "A", *, port: int = 53, timeout_s: float = 2.0) -> Answer:
    """`kind` is A, AAAA or PTR; for PTR `name` may be an address. Raises TimedOut, Failure."""
    if kind == "PTR" and not name.endswith(".arpa"):
        name = ipaddress.ip_address(name).reverse_pointer
    number = int.from_bytes(os.urandom(2))
    labels = b"".join(bytes([len(part)]) + part for part in name.encode("ascii").rstrip(b".").split(b"."))
    question = _HEADER.pack(number, _RECURSE, 1, 0, 0, 0) + labels + struct.pack(">xHH", _TYPES[kind], 1)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    subject = f"{kind} {name} at {server}"
    deadline_s = time.monotonic() + timeout_s
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((server, port))
            sock.send(question)
            while True:
                sock.settimeout(max(0.001, deadline_s - time.monotonic()))
                reply = sock.recv(65535)
                if len(reply) >= _HEADER.size and _HEADER.unpack_from(reply)[0] == number:
                    return _parse(reply, _TYPES[kind])
        except TimeoutError as error:
            raise TimedOut(f"no answer in {timeout_s} s", subject=subject) from error
        except OSError as error:
            raise Failure(f"no answer: {reason(error)}", subject=subject) from error
        except (struct.error, IndexError, ValueError) as error:
            raise Failure("the answer is not a DNS message", subject=subject) from error


def _parse(reply: bytes, wanted: int) -> Answer:
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(reply)
    at = _HEADER.size
    for _ in range(questions):
        at = _name(reply, at)[1] + 4
    values = []
    for _ in range(answers):
        at = _name(reply, at)[1]
        kind, _, _, size = struct.unpack_from(">HHIH", reply, at)
        at += 10
        if kind == wanted:
            values.append(_value(reply, at, size, kind))
        at += size
    return Answer(flags & 15, tuple(sorted(values)))


def _value(reply: bytes, at: int, size: int, kind: int) -> str:
    if kind == _TYPES["PTR"]:
        return _name(reply, at)[0]
    return str(ipaddress.ip_address(reply[at : at + size]))


def _name(reply: bytes, at: int) -> tuple[str, int]:
    """A name and where it ends; pointers go backwards only, so this ends."""
    labels: list[str] = []
    end, limit = 0, len(reply)
    while size := reply[at]:
        if size >= _POINTER:
            end = end or at + 2
            at = (size & 0x3F) << 8 | reply[at + 1]
            if at >= limit:
                raise ValueError("a pointer forwards")
            limit = at
        else:
            labels.append(reply[at + 1 : at + 1 + size].decode("ascii"))
            at += 1 + size
    return ".".join(labels), end or at + 1
