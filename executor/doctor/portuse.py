"""Host ports that Mesos offers and another program of this node uses: a pod would get no connection on them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from executor.doctor.finding import Finding, passed, skipped, warned
from executor.names import is_pod_id

_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_UNNAMED_MAX = 5
Span = tuple[int, int]


@dataclass(frozen=True)
class Use:
    """The use of one port; `by` is a process, or the chain of a rule."""

    port: int
    by: str


def check(offered: Collection[Span], cgroups_roots: Collection[str], containers: Collection[str] | None) -> Finding:
    """`cgroups_roots` are where Mesos tasks and pods run; `containers` those of the agent, None if they are not known.
    Reads sockets and rules of this network namespace.
    """
    if not cgroups_roots:
        return skipped("agent.ports_in_use", "Mesos's processes are not known without cgroups")
    listening = listeners(psutil.net_connections("inet"), lambda pid: _is_of_mesos(pid, cgroups_roots))
    saved = _printed("iptables-save", "-t", "nat")
    return judge(offered, [*listening, *mapped(saved, containers), *translated(_nft_rules(), containers)])


def judge(offered: Collection[Span], uses: Iterable[Use]) -> Finding:
    """Pure."""
    found = sorted({(use.port, use.by) for use in uses if any(low <= use.port <= high for low, high in offered)})
    if not found:
        return passed("agent.ports_in_use", "no offered port is used by others")
    shown = ", ".join(f"{port} ({by})" for port, by in found[:_UNNAMED_MAX])
    more = f" and {len(found) - _UNNAMED_MAX} more" if len(found) > _UNNAMED_MAX else ""
    hint = "take these ports out of the agent's --resources, or move what uses them"
    return warned("agent.ports_in_use", f"offered ports are used by others: {shown}{more}", hint)


def listeners(connections: Iterable[object], is_of_mesos: Callable[[int], bool]) -> Iterator[Use]:
    """Sockets that wait for others, as psutil lists them, but for those of Mesos tasks and pods."""
    for each in connections:
        status, pid, address = (getattr(each, name) for name in ("status", "pid", "laddr"))
        waits = status == psutil.CONN_LISTEN or (status == psutil.CONN_NONE and not getattr(each, "raddr", ()))
        if waits and address and not (pid and is_of_mesos(pid)):
            yield Use(address.port, _process(pid))


def mapped(saved: str, containers: Collection[str] | None) -> Iterator[Use]:
    """Ports that rules lead elsewhere, from what iptables-save printed of the nat table, but for those of pods and of
    the agent's containers. Pure.
    """
    owners = dict(_owners(saved))
    for line in saved.splitlines():
        chain, ports = re.match(r"-A (\S+) ", line), re.findall(r"--dports? (\S+)", line)
        if chain is None or not ports or "-j DNAT" not in line:
            continue
        of_agent = re.search(r"container_id: ([^\s\"]+)", line)  # mesos-cni-port-mapper's own comment
        owner = of_agent[1] if of_agent else owners.get(chain[1], "")
        if not _is_excused(owner, containers):
            by = f"a rule in chain {chain[1]}" + (f" of {owner}" if owner else "")
            yield from (Use(int(port), by) for port in re.findall(r"\d+", ports[0]))


def translated(rules: Iterable[Mapping[str, Any]], containers: Collection[str] | None) -> Iterator[Use]:
    """The same from rules of nftables, as `nft --json` lists them; CNI's portmap names the container in the comment.
    Sets that have a name are not looked into. Pure.
    """
    for rule in rules:
        steps = [step for step in rule.get("expr", ()) if isinstance(step, Mapping)]
        owner = str(rule.get("comment") or "")
        if not any("dnat" in step for step in steps) or _is_excused(owner, containers):
            continue
        by = f"a rule in nft chain {rule.get('table')} {rule.get('chain')}" + (f" of {owner}" if owner else "")
        yield from (Use(port, by) for step in steps for port in _destinations(step.get("match")))


def _destinations(match: Any) -> list[int]:
    """The destination ports that a match of nftables names."""
    if not isinstance(match, Mapping) or match.get("op") not in ("==", "in"):
        return []
    left, right = match.get("left"), match.get("right")
    if not isinstance(left, Mapping) or (left.get("payload") or {}).get("field") != "dport":
        return []
    values = right.get("set", [right]) if isinstance(right, Mapping) else [right]
    return [port for value in values for port in _span(value)]


def _span(value: Any) -> Sequence[int]:
    if isinstance(value, Mapping) and "range" in value:
        low, high = value["range"]
        return range(low, high + 1)
    return [value] if isinstance(value, int) else []


def _is_excused(owner: str, containers: Collection[str] | None) -> bool:
    """Whether a rule is of a pod or of a container of the agent. If that is not known, each named owner may be one."""
    return bool(owner) and (is_pod_id(owner) or containers is None or owner in containers)


def _owners(saved: str) -> Iterator[tuple[str, str]]:
    """CNI's plugins name the container in the comment of the rule that leads to its chain."""
    for line in saved.splitlines():
        owner, target = re.search(r'id: \\"([^"\\]+)\\"', line), re.search(r"-j (CNI-\S+)", line)
        if owner and target:
            yield target[1], owner[1]


def _process(pid: int | None) -> str:
    if not pid:
        return "a process that is not seen from here"
    try:
        return f"{psutil.Process(pid).name()}, process {pid}"
    except psutil.Error:
        return f"process {pid}"


def _nft_rules() -> list[dict[str, Any]]:
    try:
        listed = json.loads(_printed("nft", "--json", "list", "ruleset") or "{}").get("nftables", [])
    except ValueError:
        return []
    return [each["rule"] for each in listed if "rule" in each]


def _printed(name: str, *arguments: str) -> str:
    program = shutil.which(name, path=_PATH)
    if program is None:
        return ""
    done = subprocess.run(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=10,
        check=False,
    )
    return done.stdout


def _is_of_mesos(pid: int, roots: Collection[str]) -> bool:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(errors="surrogateescape").split("\n")
    except OSError:
        return True  # it has ended
    paths = [f"{line.split(':', 2)[-1]}/" for line in lines]
    return any(path.startswith(f"/{root.strip('/')}/") for path in paths for root in roots)


def roots(flags: Mapping[str, str], own: str) -> tuple[str, ...]:
    """Where the agent's containers and the executors' pods are; none, if the agent makes no cgroups."""
    if flags.get("launcher", "linux") != "linux":
        return ()
    return tuple(filter(None, (flags.get("cgroups_root", "mesos"), own)))
