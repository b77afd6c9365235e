"""Which lines of iptables-save are an attachment's, and how they are put back. Pure.

The plugins write the network's name and the container's id into the comment of a rule, or put it into a chain that is
named after both (containernetworking-plugins, pkg/utils/iptables.go, plugins/meta/portmap). The chains CNI-HOSTPORT-*
are common to all attachments.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

_MARK = re.compile(r'name: \\"([^"\\]+)\\" id: \\"([^"\\]+)\\"')
_TARGET = re.compile(r" -[jg] (\S+)")
_CHAIN_NAME_MAX = 28
_COMMON = "CNI-HOSTPORT-"


class Key(NamedTuple):
    network: str
    container_id: str


def chain_names(network: str, container_id: str) -> tuple[str, str]:
    """The names of the masquerade and the port mapping chain, as the plugins build them (utils.FormatChainName)."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-{digest}"[:_CHAIN_NAME_MAX], f"CNI-DN-{digest}"[:_CHAIN_NAME_MAX]


def owned(saved: str, keys: Iterable[Key]) -> dict[Key, tuple[str, ...]]:
    """The rules of each attachment, in their order; empty for one that has none."""
    found: dict[Key, list[str]] = {key: [] for key in keys}
    chains = {name: key for key in found for name in chain_names(*key)}
    for line in saved.splitlines():
        if not line.startswith("-A "):
            continue
        target = _TARGET.search(line)
        key = chains.get(line.split(" ", 2)[1]) or chains.get(target[1] if target else "")
        if key is None and (mark := _MARK.search(line)) is not None:
            key = Key(mark[1], mark[2])
        if key in found:
            found[key].append(line)
    return {key: tuple(lines) for key, lines in found.items()}


def common(saved: str) -> frozenset[str]:
    """The rules that all port mappings need."""
    return frozenset(
        line
        for line in saved.splitlines()
        if line.startswith("-A ") and _COMMON in line and "-A CNI-DN-" not in line and _MARK.search(line) is None
    )


def is_port_mapping(line: str, key: Key) -> bool:
    """Whether a rule is of the attachment's port mappings."""
    return chain_names(*key)[1] in line


def restorations(saved: str, key: Key, lines: Sequence[str]) -> tuple[str, ...]:
    """What to feed to iptables-restore --noflush, one after the other, so that the attachment has all of `lines`. A
    chain of its own is written again as a whole, with the missing rules that lead to it, which is one step for the
    kernel; a step that fails leaves the others.
    """
    there = set(owned(saved, [key])[key])
    missing = [line for line in lines if line not in there]
    texts = []
    for chain in chain_names(*key):
        if any(chain in line for line in missing):
            inside = [line for line in lines if line.split(" ", 2)[1] == chain]
            leading = [line for line in missing if chain in line and line not in inside]
            texts.append("\n".join(["*nat", f":{chain} - [0:0]", *inside, *leading, "COMMIT", ""]))
    others = [line for line in missing if not any(chain in line for chain in chain_names(*key))]
    return (*texts, *(f"*nat\n{line}\nCOMMIT\n" for line in others))


def lost(known: Mapping[Key, Collection[str]], saved: str) -> dict[Key, tuple[str, ...]]:
    """The rules that each attachment had and has no more; attachments that have all are left out."""
    there = owned(saved, known)
    gone = {key: tuple(line for line in lines if line not in there[key]) for key, lines in known.items()}
    return {key: lines for key, lines in gone.items() if lines}
