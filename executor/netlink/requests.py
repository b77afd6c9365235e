"""One request on a socket of rtnetlink, and the kernel's answer as state.py has it. Blocking, for some 0.3 ms.

Source: netlink(7), rtnetlink(7), linux/if_link.h.
"""

from __future__ import annotations

import errno
import ipaddress
import itertools
import os
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from executor.netlink.state import Address, Link, Namespace, Neighbour, Route, Traffic

T = TypeVar("T")
ANSWER_S: Final = 2.0
"""The kernel answers at once; a socket that has nothing is a defect, not to be waited for."""
OBJECTS_MAX: Final = 10_000
"""Objects of one kind in one namespace. A pod with CAP_NET_ADMIN can make any number of routes."""
_GETLINK, _GETADDR, _GETROUTE, _GETNEIGH, _GETSTATS = 18, 22, 26, 30, 94
_NEWLINK, _DELLINK = 16, 17
_ERROR, _DONE = 2, 3
_F_REQUEST, _F_DUMP, _F_DUMP_INTR = 0x1, 0x300, 0x10
_IFF_UP, _IFF_LOWER_UP = 0x1, 0x10000
_IFA_F_DADFAILED = 0x8
_TABLE_LOCAL, _TYPE_UNICAST = 255, 1
_STATS_LINK_64 = 1
_TRIES = 3
_BUFFER_BYTES = 1 << 18
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_sequence = itertools.count(1)


def namespace(sock: socket.socket) -> Namespace:
    """Everything in the namespace of the socket. Raises OSError."""
    from executor.netlink.messages import ifaddrmsg, ifinfmsg, ndmsg, rtmsg

    return Namespace(
        links=tuple(_dump(sock, ifinfmsg, _link, _GETLINK)),
        addresses=tuple(_dump(sock, ifaddrmsg, _address, _GETADDR)),
        routes=tuple(
            route
            for family in (socket.AF_INET, socket.AF_INET6)
            for route in _dump(sock, rtmsg, _route, _GETROUTE, family=family)
            if route is not None
        ),
        neighbours=tuple(each for each in _dump(sock, ndmsg, _neighbour, _GETNEIGH) if each is not None),
    )


def links(sock: socket.socket) -> Namespace:
    """The links alone. Raises OSError."""
    from executor.netlink.messages import ifinfmsg

    return Namespace(links=tuple(_dump(sock, ifinfmsg, _link, _GETLINK)))


def traffic(sock: socket.socket) -> dict[int, Traffic]:
    """The counters of each link, by its index. Raises OSError."""
    from executor.netlink.messages import ifstatsmsg

    return dict(_dump(sock, ifstatsmsg, _counted, _GETSTATS, filter_mask=_STATS_LINK_64))


def changed_links(data: bytes) -> set[str]:
    """The names of the links in messages of the group RTMGRP_LINK."""
    from executor.netlink.messages import ifinfmsg

    found = (_decoded(ifinfmsg, data, at) for kind, at in _messages(data) if kind in (_NEWLINK, _DELLINK))
    return {str(each.get_attr("IFLA_IFNAME") or "") for each in found}


def _dump(sock: socket.socket, document: Any, read: Callable[[Any], T], kind: int, **fields: int) -> list[T]:
    """All objects of a kind, as `read` makes them of messages. The kernel says when they changed while it listed them:
    then it is asked again.

    Raises OSError, EOVERFLOW for more than OBJECTS_MAX of them; the socket is of no use afterwards.
    """
    for _ in range(_TRIES):
        found, whole = _ask(sock, document, read, kind, fields)
        if whole:
            break
    return found


def _ask(
    sock: socket.socket, document: Any, read: Callable[[Any], T], kind: int, fields: Mapping[str, int]
) -> tuple[list[T], bool]:
    """A message of a link is 80 KB of objects that refer to each other: each is read and dropped before the next one,
    so that the youngest generation of the garbage collector frees it.
    """
    number = next(_sequence)
    request = document()
    request["header"] = {"type": kind, "flags": _F_REQUEST | _F_DUMP, "sequence_number": number, "pid": 0}
    for name, value in fields.items():
        request[name] = value
    request.reset()
    request.encode()
    sock.send(bytes(request.data))
    found: list[T] = []
    whole = True
    while True:
        data = sock.recv(_BUFFER_BYTES)
        for answer, at in _messages(data):
            _, _, flags, sequence, _ = _HEADER.unpack_from(data, at)
            if sequence != number:
                continue  # of a request that was given up
            if answer in (_ERROR, _DONE):
                _check(data, at)
                return found, whole
            if len(found) == OBJECTS_MAX:
                raise OSError(errno.EOVERFLOW, f"netlink: the namespace has more than {OBJECTS_MAX} objects of a kind")
            whole = whole and not flags & _F_DUMP_INTR
            found.append(read(_decoded(document, data, at)))


def _messages(data: bytes) -> Iterator[tuple[int, int]]:
    """The type and the place of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        yield kind, at
        at += max((length + 3) & ~3, _HEADER.size)


def _check(data: bytes, at: int) -> None:
    code = struct.unpack_from("=i", data, at + _HEADER.size)[0]
    if code < 0:
        raise OSError(-code, f"netlink: {os.strerror(-code) if -code in errno.errorcode else -code}")


def _decoded(document: Any, data: bytes, at: int) -> Any:
    message = document(data, offset=at)
    message.decode()
    return message


def _link(message: Any) -> Link:
    flags, info = message["flags"], message.get_attr("IFLA_LINKINFO")
    return Link(
        index=message["index"],
        name=str(message.get_attr("IFLA_IFNAME") or ""),
        kind=str((info.get_attr("IFLA_INFO_KIND") if info is not None else None) or ""),
        mac=str(message.get_attr("IFLA_ADDRESS") or ""),
        mtu_bytes=int(message.get_attr("IFLA_MTU") or 0),
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        master=int(message.get_attr("IFLA_MASTER") or 0),
        traffic=_traffic(message.get_attr("IFLA_STATS64")),
    )


def _traffic(stats: Mapping[str, int] | None) -> Traffic:
    names = [f"{way}_{what}" for way in ("rx", "tx") for what in ("bytes", "packets", "dropped", "errors")]
    return Traffic(*(int(stats[name]) for name in names)) if stats is not None else Traffic()


def _address(message: Any) -> Address:
    """IFA_LOCAL is the own address where a link leads to one peer, else both are the same."""
    flags = message.get_attr("IFA_FLAGS") or message["flags"]
    ip = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return Address(message["index"], f"{ip}/{message['prefixlen']}", duplicate=bool(flags & _IFA_F_DADFAILED))


def _route(message: Any) -> Route | None:
    """None for what is not a unicast route, or is the kernel's own."""
    table = message.get_attr("RTA_TABLE") or message["table"]
    if message["type"] != _TYPE_UNICAST or table == _TABLE_LOCAL:
        return None
    anything = "::" if message["family"] == socket.AF_INET6 else "0.0.0.0"  # noqa: S104 # a route, no socket
    destination = f"{message.get_attr('RTA_DST') or anything}/{message['dst_len']}"
    via = message.get_attr("RTA_GATEWAY") or (message.get_attr("RTA_VIA") or {}).get("addr") or ""
    return Route(message.get_attr("RTA_OIF") or 0, destination, str(via), table)


def _neighbour(message: Any) -> Neighbour | None:
    """None for multicast."""
    from executor.netlink.messages import neighbour_states

    ip = str(message.get_attr("NDA_DST") or "")
    if not ip or ipaddress.ip_address(ip).is_multicast:
        return None
    words = [name for name, bit in neighbour_states.items() if isinstance(bit, int) and message["state"] & bit]
    return Neighbour(message["ifindex"], ip, str(message.get_attr("NDA_LLADDR") or ""), " ".join(words) or "none")


def _counted(message: Any) -> tuple[int, Traffic]:
    """The index of the link, and its counters."""
    return message["ifindex"], _traffic(message.get_attr("IFLA_STATS_LINK_64"))
