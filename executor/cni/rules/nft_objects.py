"""Which rules of nftables are an attachment's, and how they are put back. Pure.

bridge, ptp and portmap from 1.6 on write rules to tables of their own where their configuration names the backend
`nftables`, or where the node has no iptables. The comment of a rule names its owner. What carries no comment is common
to all attachments: tables, chains, and the rules that lead from the kernel's hooks to the owners' rules. Objects are
those of `nft --json` (libnftables-json(5)); the handles in them are the kernel's, other ones after each change.
Source: containernetworking-plugins 1.9, pkg/ip/ipmasq_nftables_linux.go, plugins/meta/portmap/portmap_nftables.go.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from executor.cni.attachment import Json

MASQUERADE: Final = "cni_plugins_masquerade"
PORTS: Final = "cni_hostport"
TABLES: Final = (("inet", MASQUERADE), ("ip", PORTS), ("ip6", PORTS))
"""Family and name."""
BACKEND: Final = "nftables"
_OWNER = re.compile(r", id: (\S+)$")
_DIGEST_CHARACTERS = 16


class Owner(NamedTuple):
    """An attachment, as the rules name it."""

    container_id: str
    ifname: str
    network: str
    maps_ports: bool


class Place(NamedTuple):
    """A chain."""

    family: str
    table: str
    chain: str


class Chain(NamedTuple):
    document: Json
    rules: tuple[Json, ...]
    """Those that all attachments need, in their order."""


Common = Mapping[Place, Chain]


def mark(owner: Owner) -> str:
    """What the comments of its masquerade rules begin with."""
    return f"{_digest(owner.network)}-{_digest(f'{owner.ifname}:{owner.container_id}')},"


def is_owned(rule: Json, owner: Owner) -> bool:
    """Whether a rule is the attachment's. portmap names the container only."""
    comment = str(rule.get("comment") or "")
    if rule.get("table") == MASQUERADE:
        return comment.startswith(mark(owner))
    return owner.maps_ports and comment == owner.container_id


def owned(listed: Sequence[Json], owner: Owner) -> tuple[Json, ...]:
    """The attachment's rules, with their handles."""
    return tuple(rule for rule in _rules(listed) if is_owned(rule, owner))


def owners(listed: Sequence[Json]) -> frozenset[str]:
    """The containers that rules are of, by their comments. A long network's name may hide one."""
    found = set()
    for rule in _rules(listed):
        comment = str(rule.get("comment") or "")
        if rule.get("table") == MASQUERADE:
            found.update(_OWNER.findall(comment))
        elif comment:
            found.add(comment)
    return frozenset(found)


def removal(rules: Iterable[Json]) -> str:
    """What to feed to nft; "" for nothing."""
    lines = [f"delete rule {one['family']} {one['table']} {one['chain']} handle {one['handle']}\n" for one in rules]
    return "".join(lines)


def common(listed: Sequence[Json]) -> dict[Place, Chain]:
    """The chains, with their rules that are of no attachment."""
    found = {Place(each["family"], each["table"], each["name"]): (bare(each), list[Json]()) for each in _chains(listed)}
    for rule in _rules(listed):
        if not rule.get("comment") and (chain := found.get(_place(rule))) is not None:
            chain[1].append(bare(rule))
    return {place: Chain(document, tuple(rules)) for place, (document, rules) in found.items()}


def learnt(known: Common, there: Common) -> dict[Place, Chain]:
    """A chain with common rules is as a plugin wrote it last; one without them may have been emptied."""
    return {**known, **{place: chain for place, chain in there.items() if chain.rules or place not in known}}


def emptied(known: Common, there: Common) -> frozenset[Place]:
    """Chains that had common rules and have none now."""
    return frozenset(
        place for place, chain in known.items() if chain.rules and (place not in there or not there[place].rules)
    )


def missing(rules: Sequence[Json], listed: Sequence[Json], known: Common) -> tuple[Json, ...]:
    """What an attachment lacks of `rules`, its own, and of the common ones in the tables of these."""
    there = [bare(rule) for rule in _rules(listed)]
    tables = {(rule["family"], rule["table"]) for rule in rules}
    empty = emptied(known, common(listed))
    shared = [rule for place in sorted(empty) if place[:2] in tables for rule in known[place].rules]
    return (*shared, *(rule for rule in rules if rule not in there))


def restoration(rules: Collection[Json], known: Common) -> str:
    """What to feed to nft so that `rules` are there, in one step for the kernel; tables and chains that are there stay
    as they are.
    """
    tables = sorted({(rule["family"], rule["table"]) for rule in rules})
    steps: list[Json] = [{"table": {"family": family, "name": name}} for family, name in tables]
    steps += [{"chain": chain.document} for place, chain in known.items() if place[:2] in tables]
    steps += [{"rule": rule} for rule in rules]
    return json.dumps({"nftables": [{"add": step} for step in steps]})


def bare(document: Json) -> Json:
    """Without its handle."""
    return {key: value for key, value in document.items() if key != "handle"}


def words(rule: Json) -> str:
    """A rule in a message."""
    comment = rule.get("comment")
    where = f"{rule['family']} {rule['table']} {rule['chain']}"
    return f"nft rule in {where}: {comment}" if comment else f"nft rule in {where} that all pods need"


def _digest(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]


def _place(rule: Json) -> Place:
    return Place(rule["family"], rule["table"], rule["chain"])


def _rules(listed: Sequence[Json]) -> list[Json]:
    return [each["rule"] for each in listed if "rule" in each]


def _chains(listed: Sequence[Json]) -> list[Json]:
    return [each["chain"] for each in listed if "chain" in each]
