"""Port and masquerade rules that plugins forget, found by their owner and removed.

bridge and ptp take a pod's masquerade rules away by the addresses they find in its namespace. If those are gone (the
pod changed them, the namespace ended, an earlier DEL ended between the interface and the rules) DEL succeeds and the
rules are never removed (containernetworking-plugins 1.1.1). Every such rule carries the network's name and the
container's id in its comment and stands in a chain named after both, so ownership is certain.
"""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from executor.cni.attachment import Json
from executor.cni.plugins.failure import Fault, PluginError
from executor.cni.plugins.limit import Limit
from executor.cni.plugins.process import Finished
from executor.cni.records.cache import Record
from executor.cni.rules import nft, nft_objects
from executor.cni.rules.lines import Key, chain_names, owned
from executor.cni.rules.program import installed, run, said

FAMILIES = ("iptables", "ip6tables")
PORTMAP: Final = "portmap"
_VERSION_S = 10.0
_NO_CHAIN = re.compile(r"(?:Chain '|load target `)(CNI-[^']+)'")  # the nft variant's words, and the legacy one's
_TRIES = 3  # others write to the tables as well, and a removal is all or nothing


def made_by(document: Json) -> bool:
    """Whether a network's plugins make such rules at all."""
    return any(plugin.get("ipMasq") or plugin.get("type") == PORTMAP for plugin in document["plugins"])


def removal(saved: str, network: str, container_id: str) -> str:
    """What to feed to iptables-restore --noflush, given what iptables-save printed of the nat table; "" for nothing.
    Pure.
    """
    lines = saved.split("\n")  # a comment of a rule may have any other character
    own_chains = set(chain_names(network, container_id)) & {
        line[1:].split()[0] for line in lines if line.startswith(":")
    }
    mark = f'name: \\"{network}\\" id: \\"{container_id}\\"'
    rules = [line for line in lines if line.startswith("-A ") and line.split()[1] not in own_chains]
    owned = [line for line in rules if mark in line or own_chains & set(re.findall(r"-[jg] (\S+)", line))]
    steps = [f"-D {line.removeprefix('-A ')}" for line in owned]
    steps += [f"-F {chain}" for chain in sorted(own_chains)] + [f"-X {chain}" for chain in sorted(own_chains)]
    return "\n".join(["*nat", *steps, "COMMIT", ""]) if steps else ""


async def sweep(record: Record, limit: Limit) -> tuple[Fault, ...]:
    """Removes the rules of one attachment, IPv4 and IPv6; none is success, and so is a node without iptables."""
    work = [_sweep_family(family, record.network, record.container_id, limit) for family in FAMILIES]
    faults = await asyncio.gather(*work, nft.sweep(record, limit))
    return tuple(fault for fault in faults if fault is not None)


async def owners(timeout_s: float) -> frozenset[str]:
    """The containers that have such rules, by their comments; none on a node without iptables and nft."""
    found = set(nft_objects.owners(await nft_listed(timeout_s) or []))
    for family in FAMILIES:
        if installed(f"{family}-save"):
            finished = await run(f"{family}-save", ["-t", "nat"], "", timeout_s)
            found.update(re.findall(r'id: \\"([^"\\]+)\\"', finished.stdout.decode(errors="replace")))
    return frozenset(found)


async def _sweep_family(family: str, network: str, container_id: str, limit: Limit) -> Fault | None:
    if not installed(f"{family}-save"):
        return None
    finished = Finished(0)
    for _ in range(_TRIES):
        finished = await run(f"{family}-save", ["-t", "nat"], "", limit.next_s())
        steps = removal(finished.stdout.decode(errors="replace"), network, container_id)
        if finished.returncode == 0 and not steps:
            return None
        if finished.returncode == 0:
            finished = await run(f"{family}-restore", ["--noflush", "--wait"], steps, limit.next_s())
        if finished.returncode == 0:
            return None
        if finished.returncode is None or limit.is_over:
            break
    return Fault(family, "removal of left-over rules", PluginError("failed", finished.returncode, said(finished)))


def missing_chain(faults: Sequence[Fault], network: str, container_id: str) -> bool:
    """Whether a plugin fails because a chain of the attachment is gone, as after a firewall's reload. bridge and ptp
    1.1.1 then fail each time, and the address is never released. Pure.
    """
    gone = {name for fault in faults for name in _NO_CHAIN.findall(f"{fault.error.msg} {fault.error.details}")}
    return bool(gone & set(chain_names(network, container_id)))


def erased(saved: Mapping[str, str], listed: Sequence[Json] | None, records: Iterable[Record]) -> tuple[str, ...]:
    """Attachments of which there is not one rule although their plugins have made some, in words. `saved` is by
    program; `listed` is of nftables, None if it is not known. Where a plugin writes to is its own choice, so either
    place counts, and what may be in a place that is not known is left out. Pure.
    """
    wanted = [record for record in records if record.complete and _is_readable(record, saved, listed)]
    there = {each for text in saved.values() for each, lines in owned(text, map(key_of, wanted)).items() if lines}
    lacking = [record for record in wanted if key_of(record) not in there]
    return tuple(record.subject for record in lacking if not nft_objects.owned(listed or [], nft.owner_of(record)))


def key_of(record: Record) -> Key:
    """The network and the container of a record."""
    return Key(record.network, record.container_id)


def _is_readable(record: Record, saved: Mapping[str, str], listed: Sequence[Json] | None) -> bool:
    """Whether its plugins have made rules in a place that is known."""
    backends = [
        plugin.get("backend" if plugin.get("type") == PORTMAP else "ipMasqBackend")
        for plugin in record.document["plugins"]
        if plugin.get("ipMasq") or (plugin.get("type") == PORTMAP and record.capability_args.get("portMappings"))
    ]
    if listed is not None:
        return bool(backends)
    return bool(saved) and any(backend != nft_objects.BACKEND for backend in backends)


async def nft_listed(timeout_s: float) -> list[Json] | None:
    """The objects of the plugins' tables of nftables; None if they cannot be read."""
    with suppress(OSError):
        return await nft.listed(timeout_s)
    return None


async def ensure_chains(network: str, container_id: str, limit: Limit) -> None:
    """Makes the attachment's own chains, empty, where they are missing."""
    for family in FAMILIES:
        try:
            text = await saved(family, limit.next_s())
        except OSError:
            continue  # the plugin's own failure is reported
        if text is None:
            continue
        absent = [name for name in chain_names(network, container_id) if f"\n:{name} " not in text]
        if absent:
            lines = "\n".join(["*nat", *(f":{name} - [0:0]" for name in absent), "COMMIT", ""])
            await restore(family, lines, limit.next_s())


async def saved(family: str, timeout_s: float) -> str | None:
    """The nat table as iptables-save prints it; None on a node without it. Raises OSError."""
    if not installed(f"{family}-save"):
        return None
    finished = await run(f"{family}-save", ["-t", "nat"], "", timeout_s)
    if finished.returncode != 0:
        raise OSError(errno.EIO, f"{family}-save: {said(finished) or 'no answer'}")
    return finished.stdout.decode(errors="replace")


async def all_saved(timeout_s: float) -> dict[str, str]:
    """By program; without those that are not there."""
    texts: dict[str, str] = {}
    for family in FAMILIES:
        with suppress(OSError):
            texts |= {family: text} if (text := await saved(family, timeout_s)) is not None else {}
    return texts


async def restore(family: str, text: str, timeout_s: float) -> str:
    """Feeds lines to iptables, beside what is there; what went wrong, in words. Raises OSError."""
    finished = await run(f"{family}-restore", ["--noflush", "--wait"], text, timeout_s)
    return "" if finished.returncode == 0 else f"{family}-restore: {said(finished) or 'did not end in time'}"


async def is_legacy() -> bool:
    """Whether iptables writes to its old tables, whose changes the kernel does not report."""
    finished = await run("iptables", ["--version"], "", _VERSION_S)
    return b"legacy" in finished.stdout
