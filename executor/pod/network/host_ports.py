"""Host ports that something on the node listens on already: a port mapping would take its connections away.

Only what the kernel lists as listening is read, in this network namespace, where the plugins make their rules. TCP
lists its listening sockets first (net/ipv4/tcp_ipv4.c, tcp_seq_start), so that the connections of a busy node are not
read: with 10,000 sockets, on a busy machine of 2 cores, this took 6 ms, psutil.net_connections 430 ms. The process is
looked for only once there is a conflict, for that means to look at every process.
Source: proc(5), "/proc/pid/net".
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from executor.cni.attachment import PortMapping
from executor.errors import NetworkFailure
from executor.hostnames import parse_address

PROC_NET = Path("/proc/thread-self/net")
_LISTEN, _UNCONNECTED, _SCTP_LISTEN = "0A", "07", "10"
_FILES = {"tcp": ("tcp", "tcp6"), "udp": ("udp", "udp6"), "sctp": ("sctp/eps",)}
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


@dataclass(frozen=True)
class Listener:
    """`inode` is the socket's; `ip` in its one form, an IPv4-mapped address as IPv4."""

    protocol: str
    ip: str
    port: int
    inode: int = 0


async def check(mappings: Sequence[PortMapping]) -> None:
    """Raises NetworkFailure for the first mapping whose port of the node is taken. A mapping without a host address is
    of all addresses, and so is a listener on `::`, which may be one for IPv4 as well.
    """
    if mappings:
        await asyncio.to_thread(_check, mappings, PROC_NET)


def _check(mappings: Sequence[PortMapping], proc_net: Path) -> None:
    protocols = {mapping.protocol.lower() for mapping in mappings}
    listening = [each for protocol in sorted(protocols) for each in _listeners(protocol, proc_net)]
    for mapping in mappings:
        taken = next((each for each in listening if conflict(mapping, each)), None)
        if taken is not None:
            shown = f"[{taken.ip}]" if ":" in taken.ip else taken.ip
            raise NetworkFailure(
                f"{_holder(taken)} listens on {shown}:{taken.port}/{taken.protocol} of the node, whose connections the"
                " mapping would take",
                subject=f"hostPort {mapping.host_port}/{mapping.protocol.lower()}",
                hint="take another port, or end what listens; the agent should not offer this port in its --resources",
            )


def conflict(mapping: PortMapping, listener: Listener) -> bool:
    """Pure."""
    if (mapping.host_port, mapping.protocol.lower()) != (listener.port, listener.protocol):
        return False
    host = parse_address(mapping.host_ip) if mapping.host_ip else None
    if host is None or listener.ip == "::":
        return True
    same_family = (":" in listener.ip) == (host.version == 6)
    return same_family and (str(host) in (*_ANY, listener.ip) or listener.ip in _ANY)


def parse(protocol: str, lines: Iterable[str]) -> Iterator[Listener]:
    """The lines of a file of `tcp`, `tcp6`, `udp` or `udp6`, without its head. Ends at the first TCP connection.
    Pure.
    """
    for line in lines:
        fields = line.split()
        if len(fields) < 10:
            continue
        local, remote, state = fields[1:4]
        if protocol == "tcp" and state != _LISTEN:
            return
        if protocol == "udp" and (state != _UNCONNECTED or not remote.endswith(":0000")):
            continue
        ip, _, port = local.partition(":")
        yield Listener(protocol, _address(ip), int(port, 16), int(fields[9]))


def parse_sctp(lines: Iterable[str]) -> Iterator[Listener]:
    """The lines of sctp/eps, but for its head; one listener for each local address. Pure."""
    for line in lines:
        fields = line.split()
        if len(fields) > 8 and fields[3] == _SCTP_LISTEN:
            for ip in fields[8:]:
                if (found := parse_address(ip)) is not None:
                    yield Listener("sctp", str(found), int(fields[5]), int(fields[7]))


def _listeners(protocol: str, proc_net: Path) -> Iterator[Listener]:
    for name in _FILES.get(protocol, ()):
        try:
            with (proc_net / name).open(encoding="ascii", errors="replace") as file:
                next(file, "")
                yield from parse_sctp(file) if protocol == "sctp" else parse(protocol, file)
        except OSError:
            continue  # the kernel does not have the protocol, or not the family


def _address(text: str) -> str:
    """An address of the kernel's words of 32 bits, each in the machine's byte order."""
    words = struct.pack(f"{'<' if sys.byteorder == 'little' else '>'}{len(text) // 8}I", *_words(text))
    if len(words) == 4:
        return socket.inet_ntoa(words)
    found = ipaddress.IPv6Address(words)
    return str(found.ipv4_mapped or found)


def _words(text: str) -> list[int]:
    return [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]


def _holder(listener: Listener) -> str:
    """The process, as far as it can be seen."""
    import psutil

    target = f"socket:[{listener.inode}]"
    for process in psutil.process_iter():
        try:
            if any(_target(each) == target for each in Path(f"/proc/{process.pid}/fd").iterdir()):
                return f"{process.name()}, process {process.pid},"
        except (OSError, psutil.Error):  # it has ended, or is not ours to look at
            continue
    return "a process that is not seen from here"


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""
