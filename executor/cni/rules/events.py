"""The kernel's events of removed rules of nf_tables, and with them of iptables' nft variant.

A multicast group of netlink reports every change on the node; only removals count. Nothing is read between two calls
of `removal`: an overflow of the socket's buffer counts as a removal. Only the type
of a message counts, so nothing else of it is decoded.
Source: linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct

_NETLINK_NETFILTER = 12
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NFNLGRP_NFTABLES = 7
_SUBSYSTEM_NFTABLES = 10
_DELTABLE, _DELCHAIN, _DELRULE = 2, 5, 8
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_BUFFER_BYTES = 1 << 16
REMOVALS = frozenset(_SUBSYSTEM_NFTABLES << 8 | kind for kind in (_DELTABLE, _DELCHAIN, _DELRULE))


class RuleEvents:
    """The events of this process's network namespace. Raises OSError where the kernel gives none."""

    def __init__(self) -> None:
        self._removed = False
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        try:
            self._socket.setblocking(False)  # noqa: FBT003 - the library's own
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Closes the socket; no `removal` may be waited for."""
        self._socket.close()

    async def removal(self) -> None:
        """Until rules were removed since the last `take`."""
        seen = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, lambda: seen.set() if self._note() else None)
        try:
            while not self._removed:
                await seen.wait()
        finally:
            loop.remove_reader(self._socket)

    def take(self) -> bool:
        """Whether rules were removed since the last call."""
        self._note()
        removed, self._removed = self._removed, False
        return removed

    def _note(self) -> bool:
        self._removed |= self._read()
        return self._removed

    def _read(self) -> bool:
        """Whether one of the messages that are there reports a removal."""
        found = False
        while True:
            try:
                found |= tells_of_removal(self._socket.recv(_BUFFER_BYTES))
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    return True  # of any other error: to look costs little
                found = True


def tells_of_removal(data: bytes) -> bool:
    """Pure."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind in REMOVALS:
            return True
        at += max((length + 3) & ~3, _HEADER.size)
    return False
