"""What the executor and the node hold, counted from outside: the kernel's and containerd's own accounts.

Two kinds of samples. While pods come and go, every few seconds: how much there is at a time. At rest, when only one pod
is left: there nothing may be more than it was the first time.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from executor.containerd import Containerd
from executor.control.server import socket_path
from tests.support.control import client, read_all
from tests.support.leaks import firewall_rules, veths
from tests.support.rig import NAMESPACE, Rig

NO_ANSWER_MS = 5000.0
"""The loop was late by this, at least."""
LAG = "mesos_pod_executor_loop_lag_seconds"


@dataclass
class Samples:
    """By name, the figures of each moment in `times_s`."""

    times_s: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, at_s: float, found: dict[str, float]) -> None:
        self.times_s.append(at_s)
        for name, value in found.items():
            self.values.setdefault(name, []).append(value)


class Sampler:
    """Samples one executor on a rig's node, whose Mesos sandbox is `sandbox`."""

    def __init__(self, rig: Rig, sandbox: Path) -> None:
        self._rig, self.sandbox = rig, sandbox
        (owner,) = rig.run_dir.glob("*.owner")
        self.executor = psutil.Process(int(json.loads(owner.read_text())["pid"]))
        self._socket = socket_path(rig.run_dir, sandbox.name)
        self._lag: dict[float, float] = {}
        self.first_cgroups: frozenset[str] = frozenset()
        """At the first rest."""
        self.busy, self.rest = Samples(), Samples()

    def sample(self, at_s: float, *, at_rest: bool) -> dict[str, float]:
        """Raises psutil.NoSuchProcess when the executor is gone."""
        found = self.look()
        if at_rest and not self.rest.times_s:
            self.first_cgroups = frozenset(self._rig.cgroups())
        (self.rest if at_rest else self.busy).add(at_s, found)
        return found

    def new_cgroups(self) -> list[str]:
        """Those that were not there at the first rest."""
        return sorted(set(self._rig.cgroups()) - self.first_cgroups)

    def look(self) -> dict[str, float]:
        """Every figure now."""
        return {**self._process(), **self._node(), **self._files(), **asyncio.run(self._services())}

    def _process(self) -> dict[str, float]:
        with self.executor.oneshot():
            memory = self.executor.memory_info().rss
            children = self.executor.children(recursive=False)
        return {
            "executor fds": self.executor.num_fds(),
            "executor threads": self.executor.num_threads(),
            "executor RSS": memory / 2**20,
            "executor children": len(children),
            "RSS of its children": sum(_rss(child) for child in children) / 2**20,
            "containerd RSS": _rss(psutil.Process(self._rig.containerd.pid)) / 2**20
            if self._rig.containerd.running
            else 0.0,
            "executor CPU": sum(self.executor.cpu_times()[:2]),
        }

    def _node(self) -> dict[str, float]:
        rig = self._rig
        return {
            "shims": len(rig.containerd.shims()),
            "cgroups": len(rig.cgroups()),
            "network namespaces": len(list((rig.run_dir / "netns").glob("*/pod-*"))),
            "CNI records": len(list((rig.directory / "state/cni").glob("*/pod-*"))),
            "IP addresses": len(list((rig.directory / "ipam").glob("*/[0-9]*"))),
            "veths": len(veths()),
            "firewall rules": len(firewall_rules()),
            "mounts": len(Path("/proc/self/mountinfo").read_text().splitlines()),
            "processes": len(psutil.pids()),
        }

    def _files(self) -> dict[str, float]:
        return {
            "journal": sum(_size(path) for path in self.sandbox.glob("journal.jsonl*")) / 2**20,
            "executor log": sum(_size(path) for path in self.sandbox.glob("std*")) / 2**20,
            "pod directories": len(list((self.sandbox / "pods").glob("*"))),
        }

    async def _services(self) -> dict[str, float]:
        async with await Containerd.connect(self._rig.containerd.address, NAMESPACE) as containerd:
            found = {
                "containers": float(len(await containerd.containers.list())),
                "snapshots": float(sum(each.kind == "active" for each in await containerd.snapshots.list())),
                "leases": float(len(await containerd.leases.list())),
            }
        return found | {"loop lag p99": await self._lag_ms()}

    async def _lag_ms(self) -> float:
        """The bound of its buckets that holds 99 % of what the loop was late since the sample before."""
        try:
            async with client(self._socket) as (reader, writer):
                writer.write(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                text = (await read_all(reader)).decode()
        except TimeoutError:
            return NO_ANSWER_MS
        counts = dict(_bucket(line) for line in text.splitlines() if line.startswith(f"{LAG}_bucket"))
        new = {bound: count - self._lag.get(bound, 0.0) for bound, count in counts.items()}
        self._lag = counts
        total = max(new.values(), default=0.0)
        return 1e3 * min((bound for bound, count in new.items() if count >= 0.99 * total), default=0.0)


def _bucket(line: str) -> tuple[float, float]:
    labels, _, value = line.rpartition(" ")
    return float(labels.partition('le="')[2].partition('"')[0]), float(value)


def _rss(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss)
    except psutil.Error:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
