"""Results of every odd shape: always an error that names plugin, network and what is wrong, never anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cni.config.version import SPEC_VERSIONS
from executor.cni.plugins.plugin import read_outcome
from executor.cni.plugins.result import UnreadableResultError, attachment, converted
from executor.errors import NetworkFailure
from executor.hostnames import address
from tests.unit.cni.bench import NET, NETNS, POD, Bench

IP = {"address": "10.1.2.3/24"}
ODD: list[tuple[dict[str, Any], str]] = [
    ({"cniVersion": "9.9.9", "ips": [IP]}, "cniVersion is '9.9.9', not one of 0.1.0"),
    ({"cniVersion": 1, "ips": [IP]}, "cniVersion is 1, not a text"),
    ({"cniVersion": ["1.0.0"]}, r"cniVersion is \['1.0.0'\], not a text"),
    ({"cniVersion": "1.0.0", "ip4": {"ip": "10.1.2.3/24"}}, "ip4 is not a part of a result of version 1.0.0"),
    ({"cniVersion": "0.2.0", "ips": [IP]}, "ips is not a part of a result of version 0.2.0"),
    ({"ips": {"address": "10.1.2.3/24"}}, "ips is .*, not a list"),
    ({"ips": ["10.1.2.3/24"]}, r"ips\[0\] is '10.1.2.3/24', not an object"),
    ({"ips": [{}]}, r"ips\[0\].address is '', not an address"),
    ({"ips": [IP, {"address": 5}]}, r"ips\[1\].address is 5, not a text"),
    ({"ips": [{"address": "10.1.2.3"}]}, "prefix length"),
    ({"ips": [{"address": "0.0.0.0/0"}]}, "that an interface can have"),
    (
        {"ips": [{"address": "fe80::1%x\n10.6.6.6 db/64"}]},
        r"ips\[0\].address is 'fe80::1%x\\n10.6.6.6 db/64', not a text",
    ),
    ({"ips": [{"address": "fe80::1%x/64"}]}, "not an address"),
    ({"ips": [{**IP, "gateway": {}}]}, r"ips\[0\].gateway is \{\}, not a text"),
    ({"ips": [{**IP, "gateway": "fe80::1%eth0"}]}, r"ips\[0\].gateway is 'fe80::1%eth0', not an address"),
    ({"ips": [{**IP, "interface": 0}]}, r"ips\[0\].interface is 0, not the number of one of 0 interfaces"),
    ({"ips": [{**IP, "interface": True}], "interfaces": [{}, {}]}, r"ips\[0\].interface is True"),
    ({"interfaces": 5}, "interfaces is 5, not a list"),
    ({"interfaces": [{"name": 5}]}, r"interfaces\[0\].name is 5, not a text"),
    ({"interfaces": [{"sandbox": "\ud800"}]}, r"interfaces\[0\].sandbox is .*, not a text"),
    ({"routes": [5]}, r"routes\[0\] is 5, not an object"),
    ({"routes": [{"dst": "everywhere"}]}, r"routes\[0\].dst is 'everywhere', not a destination"),
    ({"routes": [{"dst": "0.0.0.0/0", "gw": 1}]}, r"routes\[0\].gw is 1, not a text"),
    ({"dns": []}, r"dns is \[\], not an object"),
    ({"dns": {"nameservers": "10.0.0.1"}}, "dns.nameservers is '10.0.0.1', not a list"),
    ({"dns": {"search": [["a"]]}}, r"dns.search\[0\] is \['a'\], not a text"),
    ({"dns": {"options": ["ndots:2\nnameserver 6.6.6.6"]}}, r"dns.options\[0\] is .*, not a text"),
    ({"cniVersion": "0.2.0", "ip4": {"ip": 5}}, "ip4.ip is 5, not a text"),
    ({"cniVersion": "0.2.0", "ip4": "10.1.2.3/24"}, "ip4 is '10.1.2.3/24', not an object"),
    ({"ips": [IP] * 300}, "ips has 300 entries, more than 256"),
]


@pytest.mark.parametrize(("raw", "words"), ODD)
def test_an_odd_result_is_told_by_its_path(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(UnreadableResultError, match=words):
        converted(raw, "1.0.0")


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (json.dumps(ODD[0][0]), "cniVersion is '9.9.9'"),
        (json.dumps({"cniVersion": "1.0.0", "dns": {"nameservers": 5}}), "dns.nameservers is 5"),
        ('{"a":' * 500 + "1" + "}" * 500, "nests deeper than"),
        ("[" * 50_000, "has more than"),
        ('{"ips": [' + '{"address": "10.1.2.3/24"},' * 9_000 + "{}]}", "has more than"),
        ('{"ips": [' + '{"address": "10.1.2.3/24"},' * 900 + "{}]}", "ips has 901 entries"),
        ('{"interfaces": [{"name": 1e999}]}', "interfaces[0].name is inf"),
        ("{", "Expecting"),
        ("5", "another JSON value"),
    ],
)
async def test_the_failure_names_plugin_network_and_fault(bench: Bench, printed: str, reason: str) -> None:
    """From a real process, through the whole attach; the attachment is undone."""
    path = bench.conflist("odd")
    bench.plugin("odd", ADD=[{"raw": printed}])
    with pytest.raises(NetworkFailure) as caught:
        await bench.cni.attach(POD, NETNS, NET)
    text = str(caught.value)
    assert "plugin odd failed on ADD: printed" in text and reason in text and f"network net ({path})" in text
    assert len(text) < 1000
    assert bench.sequence() == ["ADD odd", "DEL odd"] and bench.records() == []


async def test_an_error_of_any_shape_is_a_failure(bench: Bench) -> None:
    bench.conflist("odd")
    for error in (
        {"msg": "x" * 500_000, "details": "y" * 400_000},
        {"msg": "a\ud800b", "code": 1e999},
        {"msg": "m", "details": {"deep": [[[1]]]}, "code": "7"},
        {"msg": ["m"], "code": True},
    ):
        bench.plugin("odd", ADD=[{"error": error}])
        with pytest.raises(NetworkFailure, match="plugin odd failed on ADD") as caught:
            await bench.cni.attach(POD, NETNS, NET)
        assert len(str(caught.value).encode()) < 5000, "and it can be encoded"


KEYS = [
    "ips",
    "address",
    "interfaces",
    "interface",
    "sandbox",
    "name",
    "routes",
    "dst",
    "gw",
    "dns",
    "ip4",
    "ip6",
    "ip",
]
KEYS += [
    "nameservers",
    "search",
    "options",
    "domain",
    "gateway",
    "cniVersion",
    "version",
    "mac",
    "msg",
    "code",
    "details",
]
TEXTS = ["10.0.0.1/8", "fd00::1/64", "10.0.0.1", "eth0", "/run/netns/x", *SPEC_VERSIONS, "9.9.9", "fe80::1%a\n/64"]
LEAVES = st.none() | st.booleans() | st.integers(-2, 4) | st.floats() | st.text(max_size=4) | st.sampled_from(TEXTS)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


@given(VALUES, st.sampled_from(SPEC_VERSIONS), st.integers(0, 1))
def test_whatever_is_printed_is_a_result_or_an_error(value: object, version: str, status: int) -> None:
    outcome = read_outcome(status, json.dumps(value).encode(), b"said")
    assert outcome.error is None or str(outcome.error).encode()
    if outcome.result is None:
        return
    try:
        result = converted(outcome.result, version)
        found = attachment("net", "eth0", result)
    except UnreadableResultError as error:
        words = str(error)
        assert words.isascii() and words.isprintable(), words
        return
    assert all(address(ip) == ip.split("/")[0] for ip in (*found.ips, *filter(None, [found.gateway])))
    assert all(each.isprintable() for each in (*found.dns.nameservers, *found.dns.search, *found.dns.options))
    json.dumps(result)
    assert converted(result, version) == result, "what is passed on is readable"
