"""Results in all versions, and what a pod sees of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cni.attachment import Dns
from executor.cni.config.version import SPEC_VERSIONS, at_least, newest_first
from executor.cni.plugins.result import UnreadableResultError, attachment, converted

OLD: dict[str, Any] = {
    "ip4": {"ip": "10.1.0.5/16", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]},
    "ip6": {"ip": "fd00::5/64", "routes": [{"dst": "::/0", "gw": "fd00::1"}]},
    "dns": {"nameservers": ["10.1.0.1"]},
}
NEW: dict[str, Any] = {
    "interfaces": [
        {"name": "cni0", "mac": "02:00:00:00:00:01"},
        {"name": "veth1"},
        {"name": "eth0", "mac": "02:00:00:00:00:03", "sandbox": "/run/netns/x", "mtu": 1450},
    ],
    "ips": [
        {"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 2},
        {"address": "fd00::5/64", "interface": 2},
        {"address": "10.1.0.1/16", "interface": 0},
    ],
    "routes": [{"dst": "0.0.0.0/0", "mtu": 1400}],
    "dns": {"nameservers": ["10.1.0.1"], "domain": "mesos", "search": ["a", "b"], "options": ["ndots:2"]},
}


@pytest.mark.parametrize("version", SPEC_VERSIONS)
def test_every_version_reads_alike(version: str) -> None:
    raw = {"cniVersion": version, **(NEW if at_least(version, "0.3.0") else OLD)}
    found = attachment("net", "eth0", raw)
    assert found.ips == ("10.1.0.5/16", "fd00::5/64")
    assert found.gateway == "10.1.0.1"
    assert found.dns.nameservers == ("10.1.0.1",)
    assert found.result == raw


def test_what_a_pod_sees() -> None:
    found = attachment("net", "eth0", NEW)
    assert found.mac == "02:00:00:00:00:03"
    assert found.dns == Dns(("10.1.0.1",), "mesos", ("a", "b"), ("ndots:2",))


@pytest.mark.parametrize("asked", SPEC_VERSIONS)
@pytest.mark.parametrize("printed", SPEC_VERSIONS)
def test_a_result_of_any_version_becomes_one_of_the_version_asked_for(printed: str, asked: str) -> None:
    raw = {"cniVersion": printed, **(NEW if at_least(printed, "0.3.0") else OLD)}
    result = converted(raw, asked)
    assert result["cniVersion"] == asked
    assert ("ip4" in result) == (not at_least(asked, "0.3.0"))
    assert attachment("net", "eth0", result).ips == ("10.1.0.5/16", "fd00::5/64")
    if at_least(asked, "0.3.0") and not at_least(asked, "1.0.0") and printed != asked:
        assert [each["version"] for each in result["ips"]][:2] == ["4", "6"]


def test_a_result_of_the_version_asked_for_is_passed_on_whole() -> None:
    raw = {"cniVersion": "1.0.0", "vendor": {"x": 1}, **NEW}
    assert converted(raw, "1.0.0") is raw


def test_a_version_that_is_not_told_is_seen() -> None:
    assert converted(OLD, "0.1.0") is OLD
    assert converted(OLD, "1.0.0")["ips"][0]["address"] == "10.1.0.5/16"
    versioned = {"ips": [{"version": "4", "address": "10.0.0.2/8"}]}
    assert converted(versioned, "0.3.1") is versioned
    assert converted(versioned, "1.0.0")["ips"] == [{"address": "10.0.0.2/8"}]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.text(max_size=4) | st.sampled_from(["10.0.0.1/8", "4"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "ips",
                    "address",
                    "interfaces",
                    "interface",
                    "sandbox",
                    "name",
                    "routes",
                    "dns",
                    "ip4",
                    "ip",
                    "nameservers",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(
    st.dictionaries(st.sampled_from(["ips", "interfaces", "routes", "dns", "ip4", "ip6", "cniVersion"]), values),
    st.sampled_from(SPEC_VERSIONS),
)
def test_no_result_does_worse_than_an_error(raw: dict[str, Any], version: str) -> None:
    try:
        found = attachment("net", "eth0", converted(raw, version))
    except UnreadableResultError:
        return
    assert all("/" in ip or ip for ip in found.ips)


def test_versions_are_ordered() -> None:
    assert newest_first({"0.4.0", "1.1.0", "9.0.0", "0.3.1"}) == ("1.1.0", "0.4.0", "0.3.1")
    assert at_least("1.0.0", "0.4.0")
    assert not at_least("0.3.1", "0.4.0")
