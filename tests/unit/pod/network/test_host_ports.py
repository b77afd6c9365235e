"""Host ports that are taken: judged against real sockets of this host's loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from executor.cni.attachment import PortMapping
from executor.errors import NetworkFailure
from executor.pod.network.host_ports import Listener, check, conflict, parse_sctp


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(sockets: ExitStack, address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = sockets.enter_context(socket.socket(family, kind))
    made.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return int(made.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.7.7.7", "::1", "::ffff:127.0.0.1"])
async def test_a_port_that_a_process_listens_on_is_refused(sockets: ExitStack, address: str) -> None:
    port = listen(sockets, address)
    with pytest.raises(NetworkFailure) as caught:
        await check([PortMapping(port, 80)])
    assert caught.value.subject == f"hostPort {port}/tcp"
    assert f"process {os.getpid()}," in caught.value.message
    assert address.removeprefix("::ffff:") in caught.value.message


async def test_protocols_have_ports_of_their_own(sockets: ExitStack) -> None:
    port = listen(sockets, "127.0.0.1", socket.SOCK_DGRAM)
    await check([PortMapping(port, 80, "tcp"), PortMapping(port, 80, "sctp")])
    with pytest.raises(NetworkFailure, match=f"127.0.0.1:{port}/udp"):
        await check([PortMapping(port, 80, "UDP")])


async def test_connections_and_bound_sockets_are_no_listeners(sockets: ExitStack) -> None:
    port = listen(sockets, "127.0.0.1")
    client = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
    bound = sockets.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    talking = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    talking.connect(("127.0.0.1", 9))
    mine = [each.getsockname()[1] for each in (client, bound)]
    await check([PortMapping(each, 80) for each in mine] + [PortMapping(talking.getsockname()[1], 80, "udp")])
    await check([])


async def test_a_listener_of_another_address_does_not_count(sockets: ExitStack) -> None:
    port = listen(sockets, "127.0.0.1")
    await check([PortMapping(port, 80, host_ip="127.0.0.2"), PortMapping(port, 80, host_ip="::1")])
    for host_ip in ("127.0.0.1", "0.0.0.0", ""):
        with pytest.raises(NetworkFailure):
            await check([PortMapping(port, 80, host_ip=host_ip)])


@pytest.mark.parametrize(
    ("host_ip", "ip", "expected"),
    [
        ("", "0.0.0.0", True),
        ("", "::", True),
        ("", "10.0.0.1", True),
        ("0.0.0.0", "10.0.0.1", True),
        ("10.0.0.1", "0.0.0.0", True),
        ("10.0.0.1", "::", True),  # it may be one for IPv4 as well
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "fd00::1", False),
        ("::", "10.0.0.1", False),
        ("::", "fd00::1", True),
        ("fd00::1", "0.0.0.0", False),
        ("FD00:0::1", "fd00::1", True),
    ],
)
def test_which_addresses_meet(host_ip: str, ip: str, expected: bool) -> None:
    assert conflict(PortMapping(80, 8080, "TCP", host_ip), Listener("tcp", ip, 80)) is expected
    assert not conflict(PortMapping(81, 8080, "tcp", host_ip), Listener("tcp", ip, 80))


def test_the_kernel_s_sctp_endpoints() -> None:
    text = "ffff8 ffff9 2   10  29   38412  0 3187 10.0.0.1 fd00::1\nffff8 ffff9 0   7  29   5000  0 3188 10.0.0.1\n"
    assert list(parse_sctp(text.splitlines())) == [
        Listener("sctp", "10.0.0.1", 38412, 3187),
        Listener("sctp", "fd00::1", 38412, 3187),
    ]
