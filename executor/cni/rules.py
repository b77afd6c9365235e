"""Port and masquerade rules that plugins forget, found by their owner and removed.

bridge and ptp take a pod's masquerade rules away by the addresses they find in its namespace. If those are gone (the
pod changed them, the namespace ended, an earlier DEL ended between the interface and the rules) DEL succeeds and the
rules stay for ever (containernetworking-plugins 1.1.1). Every such rule carries the network's name and the
container's id in its comment and stands in a chain named after both, so ownership is certain.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil

from executor.cni.attachment import Json
from executor.cni.failure import Fault, PluginError
from executor.cni.limit import Limit
from executor.cni.process import Finished, execute

_FAMILIES = ("iptables", "ip6tables")
_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_CHAIN_NAME_MAX = 28
_SAVED_MAX_BYTES = 64 << 20
_TRIES = 3  # others write to the tables as well, and a removal is all or nothing


def made_by(document: Json) -> bool:
    """Whether a network's plugins make such rules at all."""
    return any(plugin.get("ipMasq") or plugin.get("type") == "portmap" for plugin in document["plugins"])


def chain_names(network: str, container_id: str) -> tuple[str, str]:
    """Of the masquerade and the port mapping chain, as the plugins build them (utils.FormatChainName)."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-{digest}"[:_CHAIN_NAME_MAX], f"CNI-DN-{digest}"[:_CHAIN_NAME_MAX]


def removal(saved: str, network: str, container_id: str) -> str:
    """What to feed to iptables-restore --noflush, given what iptables-save printed of the nat table; "" for nothing.
    Pure.
    """
    lines = saved.splitlines()
    doomed = set(chain_names(network, container_id)) & {line[1:].split()[0] for line in lines if line.startswith(":")}
    mark = f'name: \\"{network}\\" id: \\"{container_id}\\"'
    rules = [line for line in lines if line.startswith("-A ") and line.split()[1] not in doomed]
    owned = [line for line in rules if mark in line or doomed & set(re.findall(r"-[jg] (\S+)", line))]
    steps = [f"-D {line.removeprefix('-A ')}" for line in owned]
    steps += [f"-F {chain}" for chain in sorted(doomed)] + [f"-X {chain}" for chain in sorted(doomed)]
    return "\n".join(["*nat", *steps, "COMMIT", ""]) if steps else ""


async def sweep(network: str, container_id: str, limit: Limit) -> tuple[Fault, ...]:
    """Removes the rules of one attachment, IPv4 and IPv6; none is success, and so is a node without iptables."""
    work = (_sweep_family(family, network, container_id, limit) for family in _FAMILIES)
    faults = await asyncio.gather(*work)
    return tuple(fault for fault in faults if fault is not None)


async def owners(timeout_s: float) -> frozenset[str]:
    """The containers that have such rules, by their comments; none on a node without iptables."""
    found: set[str] = set()
    for family in _FAMILIES:
        if shutil.which(f"{family}-save", path=_PATH) is not None:
            finished = await _run(f"{family}-save", ["-t", "nat"], "", timeout_s)
            found.update(re.findall(r'id: \\"([^"\\]+)\\"', finished.stdout.decode(errors="replace")))
    return frozenset(found)


async def _sweep_family(family: str, network: str, container_id: str, limit: Limit) -> Fault | None:
    if shutil.which(f"{family}-save", path=_PATH) is None:
        return None
    finished = Finished(0)
    for _ in range(_TRIES):
        finished = await _run(f"{family}-save", ["-t", "nat"], "", limit.next_s())
        steps = removal(finished.stdout.decode(errors="replace"), network, container_id)
        if finished.returncode == 0 and not steps:
            return None
        if finished.returncode == 0:
            finished = await _run(f"{family}-restore", ["--noflush", "--wait"], steps, limit.next_s())
        if finished.returncode == 0:
            return None
        if finished.returncode is None or limit.is_over:
            break
    said = finished.stderr.decode(errors="replace").strip()
    return Fault(family, "removal of left-over rules", PluginError("failed", finished.returncode, said))


async def _run(name: str, arguments: list[str], stdin: str, timeout_s: float) -> Finished:
    path = shutil.which(name, path=_PATH)
    if path is None:
        return Finished(1, stderr=f"{name} is not installed".encode())
    command = [path, *arguments]
    return await execute(command, {"PATH": _PATH}, stdin.encode(), timeout_s, stdout_max_bytes=_SAVED_MAX_BYTES)
