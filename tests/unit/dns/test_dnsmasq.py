"""dnsmasq's command line and version, and answers that are none."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.config import DnsSection
from executor.dns import dnsmasq, query
from executor.errors import Failure, InvalidConfig, TimedOut


def test_the_command_line() -> None:
    argv = dnsmasq.arguments(DnsSection(), ["10.0.0.1", "fd00::1"])
    assert argv[0] == "dnsmasq"
    for option in (
        "--conf-file=/dev/null",
        "--hostsdir=/run/mesos-pod-names",
        "--listen-address=10.0.0.1",
        "--listen-address=fd00::1",
        "--bind-dynamic",
        "--local=/mesos/",
        "--local=/cluster.local/",
        "--keep-in-foreground",
    ):
        assert option in argv
    assert "--no-resolv" not in argv


def test_upstream_servers_replace_those_of_the_host() -> None:
    argv = dnsmasq.arguments(DnsSection(upstream=("10.0.0.53", "/mesos/10.0.0.54#5353")), ["10.0.0.1"])
    assert "--no-resolv" in argv
    assert "--server=10.0.0.53" in argv
    assert "--server=/mesos/10.0.0.54#5353" in argv
    assert "--local=/mesos/" not in argv, "somebody else knows more names of this domain"
    assert "--local=/cluster.local/" in argv


def test_without_an_address_there_is_no_server() -> None:
    with pytest.raises(InvalidConfig, match=r"\[dns\] listen"):
        dnsmasq.arguments(DnsSection(), [])


def test_the_configuration_for_another_dnsmasq() -> None:
    lines = dnsmasq.configuration(DnsSection(hosts_dir="/run/x")).splitlines()
    assert "hostsdir=/run/x" in lines
    assert "local=/mesos/" in lines
    assert not any(line.startswith(("listen", "conf-file", "no-resolv")) for line in lines)


@pytest.mark.parametrize(
    ("text", "version"),
    [("Dnsmasq version 2.90  Copyright (c) 2000-2024", (2, 90)), ("Dnsmasq version 2.88test1", (2, 88)), ("x", None)],
)
def test_versions(text: str, version: tuple[int, int] | None) -> None:
    assert dnsmasq.parse_version(text) == version
    if version:
        dnsmasq.check_version(text)


@pytest.mark.parametrize("text", ["Dnsmasq version 2.85  Copyright", "no dnsmasq"])
def test_a_dnsmasq_that_would_keep_old_names_is_refused(text: str) -> None:
    with pytest.raises(Failure, match=r"2\.88"):
        dnsmasq.check_version(text)


def test_nobody_answers() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(TimedOut, match=r"A x\.mesos at 127\.0\.0\.1"):
            query.ask("127.0.0.1", "x.mesos", port=silent.getsockname()[1], timeout_s=0.05)
        port = silent.getsockname()[1]
    with pytest.raises(Failure):
        query.ask("127.0.0.1", "x.mesos", port=port)


@pytest.mark.parametrize(
    "rest",
    [b"\x81\x80\x00\x01", struct.pack(">5H", 0x8180, 1, 1, 0, 0), struct.pack(">5H", 0x8180, 1, 0, 0, 0) + b"\xc0\x0c"],
)
def test_an_answer_that_is_none(rest: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.bind(("127.0.0.1", 0))

        def lie() -> None:
            question, asker = liar.recvfrom(512)
            liar.sendto(b"\0" * 12, asker)  # to another question
            liar.sendto(question[:2] + rest.ljust(10, b"\0"), asker)

        thread = threading.Thread(target=lie)
        thread.start()
        try:
            with pytest.raises(Failure):
                query.ask("127.0.0.1", "x.mesos", port=liar.getsockname()[1])
        finally:
            thread.join()


@given(st.binary(min_size=12, max_size=200))
def test_any_answer_is_read_to_an_end(reply: bytes) -> None:
    with contextlib.suppress(struct.error, IndexError, ValueError):
        query._parse(reply, 1)


@pytest.mark.parametrize("listen", ["fe80::1%x\nconf-file=/tmp/x", "10.0.0.1,0.0.0.0", "eth0", "", "::1%a b"])
def test_what_is_no_address_is_not_listened_on(listen: str) -> None:
    with pytest.raises(InvalidConfig, match="is not an IP address"):
        dnsmasq.arguments(DnsSection(), [listen])
    assert "--listen-address=fe80::1%eth0" in dnsmasq.arguments(DnsSection(), ["fe80::1%eth0"])


@pytest.mark.parametrize(
    "section", [DnsSection(hosts_dir="/run/x\naddn-hosts=/x"), DnsSection(upstream=("1.1.1.1\nlog",))]
)
def test_a_value_stays_in_its_line(section: DnsSection) -> None:
    with pytest.raises(InvalidConfig, match="not printable"):
        dnsmasq.configuration(section)
    with pytest.raises(InvalidConfig, match="not printable"):
        dnsmasq.arguments(section, ["10.0.0.1"])
