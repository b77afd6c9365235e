"""Which rules of nftables are whose, what is missing, and what puts it back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executor.cni.rules import nft_objects
from executor.cni.rules.nft_objects import MASQUERADE, PORTS, Owner, Place

Object = dict[str, Any]
WEB = Owner("pod-one", "eth0", "podnet", maps_ports=True)
OTHER = WEB._replace(container_id="pod-one1")
POSTROUTING = Place("inet", MASQUERADE, "postrouting")
PREROUTING = Place("ip", PORTS, "prerouting")


def rule(table: str, chain: str, handle: int, comment: str = "") -> Object:
    family = "inet" if table == MASQUERADE else "ip"
    made = {"family": family, "table": table, "chain": chain, "handle": handle, "expr": [{"number": handle}]}
    return {"rule": {**made, "comment": comment} if comment else made}


def chain(table: str, name: str) -> Object:
    return {"chain": {"family": "inet" if table == MASQUERADE else "ip", "table": table, "name": name, "handle": 1}}


def of(owner: Owner) -> str:
    return f"{nft_objects.mark(owner)} net: {owner.network}, if: {owner.ifname}, id: {owner.container_id}"


CHAINS = [chain(MASQUERADE, "masq_checks"), chain(MASQUERADE, "postrouting")]
CHAINS += [chain(PORTS, "hostports"), chain(PORTS, "prerouting")]
COMMON = [rule(MASQUERADE, "postrouting", 4), rule(MASQUERADE, "postrouting", 5), rule(PORTS, "prerouting", 6)]
MINE = [rule(MASQUERADE, "masq_checks", 7, of(WEB)), rule(PORTS, "hostports", 8, "pod-one")]
THEIRS = [rule(MASQUERADE, "masq_checks", 9, of(OTHER)), rule(PORTS, "hostports", 10, "pod-one1")]
ALL = [*CHAINS, *COMMON, *MINE, *THEIRS]


def rules(listed: list[Object]) -> tuple[Object, ...]:
    return tuple(each["rule"] for each in listed)


def bare(listed: list[Object]) -> tuple[Object, ...]:
    return tuple(map(nft_objects.bare, rules(listed)))


def test_rules_are_told_apart() -> None:
    assert nft_objects.owned(ALL, WEB) == rules(MINE)
    assert nft_objects.owned(ALL, OTHER) == rules(THEIRS)
    assert nft_objects.owned(ALL, WEB._replace(ifname="eth1", maps_ports=False)) == ()
    assert nft_objects.owned(ALL, WEB._replace(network="other", maps_ports=False)) == ()
    assert nft_objects.owners(ALL) == {"pod-one", "pod-one1"}


def test_the_mark_is_what_the_plugins_write() -> None:
    """As bridge 1.9.1 writes it for this attachment; the real one is in tests/integration/cni/test_nftables.py."""
    assert (
        nft_objects.mark(WEB._replace(network="podnet", container_id="pod-web")) == "fa98a27bbcc17b2e-827348047a642c58,"
    )


def test_a_long_name_of_a_network_hides_the_container_but_not_from_its_record() -> None:
    long = WEB._replace(network="n" * 120)
    listed = [*CHAINS, rule(MASQUERADE, "masq_checks", 7, of(long)[:128])]
    assert nft_objects.owners(listed) == frozenset()
    assert len(nft_objects.owned(listed, long)) == 1


def test_a_removal_names_each_rule() -> None:
    assert nft_objects.removal(rules(MINE)) == (
        "delete rule inet cni_plugins_masquerade masq_checks handle 7\ndelete rule ip cni_hostport hostports handle 8\n"
    )
    assert nft_objects.removal([]) == ""


def test_what_is_missing() -> None:
    known = nft_objects.common(ALL)
    assert set(known) == {Place(*(each["chain"][key] for key in ("family", "table", "name"))) for each in CHAINS}
    mine = bare(MINE)
    assert nft_objects.missing(mine, ALL, known) == ()
    assert nft_objects.missing(mine, [*CHAINS, *COMMON, *THEIRS], known) == mine
    assert nft_objects.missing(mine, [], known) == (*bare(COMMON), *mine)
    assert nft_objects.missing((), [], known) == ()
    part = [*CHAINS, *COMMON[1:], *MINE]
    assert nft_objects.missing(mine, part, known) == (), "a chain that has rules is as its plugin wrote it"


@pytest.mark.parametrize("there", [[], [*CHAINS, *MINE]])
def test_what_is_known_of_a_chain_outlives_its_erasure(there: list[Object]) -> None:
    known = nft_objects.common(ALL)
    after = nft_objects.learnt(known, nft_objects.common(there))
    assert after == known
    newer = [*CHAINS, rule(PORTS, "prerouting", 20)]
    assert nft_objects.learnt(known, nft_objects.common(newer))[PREROUTING].rules == bare(newer[-1:])


def test_a_restoration_makes_what_rules_need_first() -> None:
    known = nft_objects.common(ALL)
    missing = nft_objects.missing(bare(MINE[1:]), [], known)
    steps = json.loads(nft_objects.restoration(missing, known))["nftables"]
    made = [next(iter(step["add"].items())) for step in steps]
    assert [kind for kind, _ in made] == ["table", "chain", "chain", "rule", "rule"]
    assert made[0][1] == {"family": "ip", "name": PORTS}
    assert not any("handle" in document for _, document in made)
    assert [document["chain"] for kind, document in made if kind == "rule"] == ["prerouting", "hostports"]


def test_a_rule_in_words() -> None:
    assert nft_objects.words(rules(MINE)[1]) == "nft rule in ip cni_hostport hostports: pod-one"
    assert nft_objects.words(rules(COMMON)[0]).endswith("postrouting that all pods need")
