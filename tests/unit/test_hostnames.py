"""Addresses and names: what may stand in a hosts file, and what programs would take for something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.hostnames import address, ends_in_number, is_label, is_name, unpublishable


@pytest.mark.parametrize(
    "text",
    [
        "fe80::1%x\n10.6.6.6 db.prod.svc.cluster.local",
        "fe80::1%eth0",
        "fd00::1%",
        "::1%\n",
        "10.0.0.1\n",
        "010.0.0.1",
        "",
    ],
)
def test_what_is_more_than_an_address_is_none(text: str) -> None:
    assert address(text) == ""


@given(st.text() | st.ip_addresses().map(str).flatmap(lambda ip: st.text().map(lambda rest: f"{ip}%{rest}")))
def test_an_address_breaks_out_of_no_line(text: str) -> None:
    assert not set(address(text)) - set("0123456789abcdef.:")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("127.0.0.1", "loopback"),
        ("127.5.5.5", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "0.0.0.0/8"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("255.255.255.255", "broadcast"),
        ("::ffff:127.0.0.1", "mapped"),
        ("fe80::1%eth0", "not an address"),
        ("10.0.0.1", ""),
        ("fd00::2/64", ""),
        ("2001:db8::1", ""),
    ],
)
def test_addresses_that_other_hosts_cannot_use(text: str, why: str) -> None:
    assert why in unpublishable(text)
    assert bool(why) == bool(unpublishable(text))


@pytest.mark.parametrize("text", ["10.6.6.6", "1", "0x7f.1", "0x", "web.10", "web.0x7F", "1.2.3.", "4294967295"])
def test_names_that_look_like_addresses(text: str) -> None:
    assert ends_in_number(text)
    assert not is_name(text)


@pytest.mark.parametrize(
    "text", ["web", "10.6.6.6.example", "1a", "0x7f.mesos", "10-6-6-6.prod.pod.cluster.local", "x0x1"]
)
def test_names_that_do_not(text: str) -> None:
    assert is_name(text) and not ends_in_number(text)


def test_labels() -> None:
    assert is_label("42") and is_label("a-b")
    assert not any(map(is_label, ["", "a.b", "-a", "A", "a\n", "x" * 64]))
