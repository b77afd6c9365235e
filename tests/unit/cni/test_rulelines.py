"""Which rules are whose, what is missing, and what puts it back; and the kernel's messages of removals."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.cni.plugins.failure import Fault, PluginError
from executor.cni.records.cache import Record
from executor.cni.rules.events import tells_of_removal
from executor.cni.rules.lines import Key, chain_names, common, lost, owned, restorations
from executor.cni.rules.sweep import erased, missing_chain

WEB, OTHER = Key("podnet", "pod-one"), Key("podnet", "pod-one1")
MASQUERADE, PORTS = chain_names(*WEB)
ENTRY = f'-A POSTROUTING -s 10.1.0.2/32 -m comment --comment "name: \\"podnet\\" id: \\"pod-one\\"" -j {MASQUERADE}'
ACCEPT = f'-A {MASQUERADE} -d 10.1.0.0/16 -m comment --comment "name: \\"podnet\\" id: \\"pod-one\\"" -j ACCEPT'
DNAT = f"-A {PORTS} -p tcp --dport 80 -j DNAT --to-destination 10.1.0.2:80"
MARK = f"-A {PORTS} -s 10.1.0.0/16 -p tcp --dport 80 -j CNI-HOSTPORT-SETMARK"
JUMP = f'-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podnet\\" id: \\"pod-one\\"" -j {PORTS}'
LOCAL = "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT"
FOREIGN = "-A POSTROUTING -s 10.9.0.0/16 -j MASQUERADE"
THEIRS = f'-A POSTROUTING -m comment --comment "name: \\"podnet\\" id: \\"pod-one1\\"" -j {chain_names(*OTHER)[0]}'
ALL = [LOCAL, ENTRY, FOREIGN, THEIRS, ACCEPT, MARK, DNAT, JUMP]
MINE = (ENTRY, ACCEPT, MARK, DNAT, JUMP)


def saved(*lines: str) -> str:
    return "\n".join(["*nat", ":PREROUTING ACCEPT [0:0]", *lines, "COMMIT", ""])


def test_rules_are_told_apart() -> None:
    third = Key("podnet", "pod-three")
    assert owned(saved(*ALL), [WEB, OTHER, third]) == {WEB: MINE, OTHER: (THEIRS,), third: ()}
    assert common(saved(*ALL)) == {LOCAL}


def test_what_is_lost() -> None:
    known = owned(saved(*ALL), [WEB, OTHER])
    assert lost(known, saved(*ALL)) == {}
    assert lost(known, saved(LOCAL, ACCEPT, MARK, DNAT, JUMP, THEIRS)) == {WEB: (ENTRY,)}
    assert lost(known, saved()) == {WEB: MINE, OTHER: (THEIRS,)}


def test_a_chain_is_written_whole_with_what_leads_to_it() -> None:
    first, second = restorations(saved(THEIRS, DNAT), WEB, MINE)
    assert first.splitlines() == ["*nat", f":{MASQUERADE} - [0:0]", ACCEPT, ENTRY, "COMMIT"]
    assert second.splitlines() == ["*nat", f":{PORTS} - [0:0]", MARK, DNAT, JUMP, "COMMIT"]
    (only,) = restorations(saved(*MINE[:-1]), WEB, MINE)
    assert only.splitlines() == ["*nat", f":{PORTS} - [0:0]", MARK, DNAT, JUMP, "COMMIT"]
    assert restorations(saved(*ALL), WEB, MINE) == ()


@pytest.mark.parametrize(
    ("plugin", "by_iptables"),
    [
        ({"type": "portmap"}, True),
        ({"type": "portmap", "backend": "nftables"}, False),
        ({"type": "bridge", "ipMasq": True}, True),
        ({"type": "bridge", "ipMasq": True, "ipMasqBackend": "nftables"}, False),
    ],
)
def test_attachments_without_one_rule_are_found(plugin: dict[str, Any], by_iptables: bool) -> None:
    record = attached(plugin)
    named = (record.subject,)
    for text in (saved(LOCAL, THEIRS), ""):
        assert erased({"iptables": text}, None, [record]) == (named if by_iptables else ())
        assert erased({"iptables": text}, [], [record]) == named
    assert erased({}, [], [record]) == named, "a node without iptables"
    assert erased({}, None, [record]) == (), "a node without iptables and nft"
    assert erased({"iptables": saved(*ALL)}, [], [record]) == ()
    assert erased({"iptables": "", "ip6tables": saved(*ALL)}, [], [record]) == ()
    assert erased({"iptables": ""}, [], [replace(record, complete=False)]) == ()


def test_an_attachment_that_needs_no_rule_lacks_none() -> None:
    bridge = attached({"type": "bridge", "ipMasq": False})
    without_ports = replace(attached({"type": "portmap"}), capability_args={})
    assert erased({"iptables": ""}, [], [bridge, without_ports]) == ()


def attached(plugin: dict[str, Any]) -> Record:
    document = {"cniVersion": "1.0.0", "plugins": [plugin]}
    ports = {"portMappings": [{"hostPort": 80}]}
    return Record("pod-one", "eth0", "podnet", "/n", "/f", 0, document, capability_args=ports, complete=True)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"exit status 2: iptables v1.8.9 (nf_tables): Chain '{MASQUERADE}' does not exist", True),
        ("exit status 2: iptables v1.8.9 (nf_tables): Chain 'CNI-0123456789' does not exist", False),
        (
            f"exit status 2: iptables v1.8.9 (legacy): Couldn't load target `{MASQUERADE}':No such file or directory",
            True,
        ),
        ("no such device", False),
    ],
)
def test_a_chain_that_is_missing_is_seen(said: str, expected: bool) -> None:
    faults = [Fault("bridge", "DEL", PluginError(said, 999))]
    assert missing_chain(faults, *WEB) is expected


def message(kind: int, size: int = 20) -> bytes:
    return struct.pack("=IHHII", size, kind, 0, 0, 0) + bytes(size - 16)


def test_removals_are_told_from_other_changes() -> None:
    table, new = 10 << 8, message(10 << 8 | 6)
    assert not tells_of_removal(new + message(table | 15) + message(8))
    for removal in (2, 5, 8):
        assert tells_of_removal(new + message(table | removal, 22))
        assert tells_of_removal(message(table | 6, 21) + bytes(3) + message(table | removal))


@given(st.binary())
def test_no_bytes_do_harm(data: bytes) -> None:
    tells_of_removal(data)
