"""Whose an offered port is: told from sockets and from rules as iptables-save prints them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from executor.doctor import portuse
from executor.doctor.finding import Verdict
from executor.doctor.portuse import Use

TASK = "f3b1c0de-1111-2222-3333-444455556666"
OTHER = "4f1e3a9d0c"
SAVED = r"""*nat
:CNI-DN-aaaa - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podnet\" id: \"pod-0123456789ab\"" -m multiport --dports 31001 -j CNI-DN-aaaa
-A CNI-DN-aaaa -p tcp -m tcp --dport 31001 -j DNAT --to-destination 10.91.1.2:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"podman\" id: \"4f1e3a9d0c\"" -m multiport --dports 31002 -j CNI-DN-bbbb
-A CNI-DN-bbbb -s 10.88.0.0/16 -p tcp -m tcp --dport 31002 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-bbbb -p tcp -m tcp --dport 31002 -j DNAT --to-destination 10.88.0.2:80
-A PORTS -p tcp -m tcp --dport 31003 -m comment --comment "container_id: f3b1c0de-1111-2222-3333-444455556666" -j DNAT --to-destination 10.91.1.3:80
-A DOCKER ! -i docker0 -p udp -m multiport --dports 31004,31005 -j DNAT --to-destination 172.17.0.2:53
-A POSTROUTING -s 10.91.1.2/32 -p tcp -m tcp --dport 31006 -j MASQUERADE
COMMIT
"""  # noqa: E501


@dataclass(frozen=True)
class Address:
    ip: str
    port: int


@dataclass(frozen=True)
class Socket:
    """As psutil's net_connections has them."""

    status: str
    pid: int | None
    laddr: Address
    raddr: Address | tuple[()]


def test_rules_of_others() -> None:
    docker = [Use(31004, "a rule in chain DOCKER"), Use(31005, "a rule in chain DOCKER")]
    podman = Use(31002, f"a rule in chain CNI-DN-bbbb of {OTHER}")
    assert list(portuse.mapped(SAVED, {TASK})) == [podman, *docker]
    assert list(portuse.mapped(SAVED, None)) == docker, "who cannot ask the agent accuses nobody who is named"
    assert [use.port for use in portuse.mapped(SAVED, set())] == [31002, 31003, 31004, 31005]


def nft(port: object, comment: str = "", table: str = "cni_hostport", verb: str = "dnat") -> dict[str, Any]:
    match = {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": port}
    steps = [{"match": match}, {verb: {"addr": "10.91.1.2", "port": 80}}]
    return {"family": "ip", "table": table, "chain": "hostports", "comment": comment, "expr": steps}


def test_rules_of_nftables() -> None:
    """As portmap 1.9 and netavark write them."""
    rules = [nft(31001, "pod-0123456789ab"), nft(31002, OTHER), nft(31003, TASK), nft(31006, verb="accept")]
    rules += [nft({"set": [31004, {"range": [31005, 31007]}]}, table="netavark"), nft("@known")]
    netavark = [Use(port, "a rule in nft chain netavark hostports") for port in (31004, 31005, 31006, 31007)]
    podman = Use(31002, f"a rule in nft chain cni_hostport hostports of {OTHER}")
    assert list(portuse.translated(rules, {TASK})) == [podman, *netavark]
    assert list(portuse.translated(rules, None)) == netavark


def test_sockets_of_others() -> None:
    here = Address("0.0.0.0", 31001)
    sockets = [
        Socket(psutil.CONN_LISTEN, 7, here, ()),
        Socket(psutil.CONN_ESTABLISHED, 8, here, Address("10.0.0.1", 80)),
        Socket(psutil.CONN_NONE, None, Address("::", 31002), ()),
        Socket(psutil.CONN_NONE, 8, here, Address("10.0.0.1", 53)),
        Socket(psutil.CONN_LISTEN, 9, Address("::", 31003), ()),
    ]
    found = list(portuse.listeners(sockets, lambda pid: pid == 9))
    assert [use.port for use in found] == [31001, 31002]
    assert "process 7" in found[0].by


@pytest.mark.parametrize(
    ("uses", "verdict", "words"),
    [
        ([], Verdict.PASS, ""),
        ([Use(30999, "x"), Use(32001, "x")], Verdict.PASS, ""),
        ([Use(31000, "nginx")], Verdict.WARN, "31000 (nginx)"),
        ([Use(31000 + number, "x") for number in range(7)], Verdict.WARN, "and 2 more"),
    ],
)
def test_only_what_is_offered_counts(uses: list[Use], verdict: Verdict, words: str) -> None:
    found = portuse.judge([(31000, 32000)], uses)
    assert found.verdict is verdict and words in found.message


def test_where_mesos_s_own_processes_are() -> None:
    assert portuse.roots({"launcher": "linux", "cgroups_root": "m"}, "/own") == ("m", "/own")
    assert portuse.roots({}, "") == ("mesos",)
    assert portuse.roots({"launcher": "posix"}, "/own") == ()
    assert portuse.check([(1, 2)], (), None).verdict is Verdict.SKIP
