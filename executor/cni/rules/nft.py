"""Reads and writes the plugins' own tables of nftables, by the program nft, which these plugins need too."""

from __future__ import annotations

import errno
import json
from typing import Final

from executor.cni.attachment import Json
from executor.cni.plugins.failure import Fault, PluginError
from executor.cni.plugins.limit import Limit
from executor.cni.records.cache import Record
from executor.cni.rules import nft_objects, program
from executor.cni.rules.nft_objects import Owner
from executor.errors import reason

NFT: Final = "nft"
_IPTABLES = "iptables"
_TRIES = 3  # others write to the tables as well, and a removal is all or nothing


def may_use(document: Json) -> bool:
    """Whether a network's plugins may write to nftables: by their configuration, or because there is no iptables. Looks
    at the file system.
    """
    plugins = document["plugins"]
    named = any(nft_objects.BACKEND in (plugin.get("backend"), plugin.get("ipMasqBackend")) for plugin in plugins)
    conditions = any(plugin.get("conditionsV4") or plugin.get("conditionsV6") for plugin in plugins)
    return named or conditions or not program.installed(_IPTABLES)


def owner_of(record: Record) -> Owner:
    """The attachment of a record, as the rules name it."""
    maps_ports = bool(record.capability_args.get("portMappings"))
    return Owner(record.container_id, record.ifname, record.network, maps_ports)


async def listed(timeout_s: float) -> list[Json] | None:
    """All objects of the plugins' tables; None on a node without nft. Raises OSError."""
    if not program.installed(NFT):
        return None
    there = {(each["table"]["family"], each["table"]["name"]) for each in await _list(["tables"], timeout_s)}
    found: list[Json] = []
    for family, name in nft_objects.TABLES:
        if (family, name) in there:
            found += await _list(["table", family, name], timeout_s)
    return found


async def _list(what: list[str], timeout_s: float) -> list[Json]:
    finished = await program.run(NFT, ["--json", "list", *what], "", timeout_s)
    if finished.returncode != 0:
        raise OSError(errno.EIO, f"nft: {program.said(finished) or 'no answer'}")
    try:
        objects = json.loads(finished.stdout or b"{}").get("nftables", [])
    except ValueError as error:
        raise OSError(errno.EIO, f"nft printed what is not JSON: {error}") from error
    return [each for each in objects if "metainfo" not in each]


async def sweep(record: Record, limit: Limit) -> Fault | None:
    """Removes the rules of one attachment; none is success, and so is a node without nft."""
    if not may_use(record.document):
        return None
    said = ""
    for _ in range(_TRIES):
        try:
            objects = await listed(limit.next_s())
        except OSError as error:
            said = reason(error)
        else:
            steps = nft_objects.removal(nft_objects.owned(objects or [], owner_of(record)))
            if not steps or not (said := await apply(steps, limit.next_s())):
                return None
        if limit.is_over:
            break
    return Fault(NFT, "removal of left-over rules", PluginError("failed", details=said))


async def apply(text: str, timeout_s: float) -> str:
    """Feeds commands or JSON to nft; what went wrong, in words."""
    options = ["--json"] if text.startswith("{") else []
    finished = await program.run(NFT, [*options, "--file", "-"], text, timeout_s)
    return "" if finished.returncode == 0 else f"nft: {program.said(finished) or 'did not end in time'}"
