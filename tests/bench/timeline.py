"""Where the time of a launch goes: when each call of containerd, the CNI plugin and the pod sandbox were under way.

The calls are seen from this process, by a witness around the public methods of the executor's adapters. Each
millisecond of a launch is counted once, for the first of these that was under way: the shim with runc (task create,
task start), containerd (every other call), the CNI plugin, and else the executor with what waits for a CPU.
"""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from executor.pod.node import Node
from executor.pod.runner import PodRunner
from tests.bench.bench import Harness
from tests.bench.figures import Figure, Report

LAUNCHES = 15
FASTEST = 7
SHIM = ("task create", "task start")
NETWORK = "CNI ADD"
OWN = ("pod sandbox", "network namespace")
NAMES = {
    "tasks.create": "task create",
    "tasks.start": "task start",
    "snapshots.prepare": "snapshot",
    "containers.create": "container record",
    "leases.create": "lease",
    "leases.delete": "end of lease",
    "images.get": "image look-up",
    "snapshots.exists": "image's layers",
    "cni.attach": NETWORK,
    "cni.open_namespace": "network namespace",
}


@dataclass(frozen=True)
class Row:
    """Milliseconds since the launch's arrival."""

    name: str
    begin_ms: float
    end_ms: float


class Witness:
    """Notes each call of the node's adapters while it exists."""

    def __init__(self, node: Node) -> None:
        self.calls: list[tuple[str, float, float]] = []
        client = node.containerd
        for name in ("tasks", "snapshots", "containers", "leases", "images", "content"):
            self._watch(name, getattr(client, name))
        self._watch("cni", node.cni)

    def _watch(self, name: str, adapter: object) -> None:
        for method, _ in inspect.getmembers(type(adapter), inspect.iscoroutinefunction):
            if not method.startswith("_") and f"{name}.{method}" != "tasks.wait":
                setattr(adapter, method, self._timed(f"{name}.{method}", getattr(adapter, method)))

    def _timed(self, name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def timed(*arguments: Any, **options: Any) -> Any:
            begin_s = time.perf_counter()
            try:
                return await call(*arguments, **options)
            finally:
                self.calls.append((NAMES.get(name, name), begin_s, time.perf_counter()))

        return timed


async def measure(harness: Harness, tell: Callable[[str], None]) -> Report:
    """The rows of the fastest launches of one pod."""
    witness = Witness(harness.node)
    launches = list[tuple[float, list[Row]]]()
    for _ in range(LAUNCHES):
        witness.calls.clear()
        begin_s = time.perf_counter()
        runners = await harness.up(1)
        end_s = time.perf_counter()
        launches.append(((end_s - begin_s) * 1e3, _rows(witness.calls, runners[0], begin_s, end_s)))
        await harness.down(runners)
    fastest = sorted(launches, key=lambda launch: launch[0])[:FASTEST]
    report = Report(series={"timeline": [row.__dict__ for row in median_rows([rows for _, rows in fastest])]})
    parts = [shares(rows, took_ms) for took_ms, rows in fastest]
    report.figures |= {f"part of a launch, {whose}, ms": Figure.of(part[whose] for part in parts) for whose in parts[0]}
    report.figures["launch of the timeline, ms"] = Figure.of(took_ms for took_ms, _ in fastest)
    for name, figure in report.figures.items():
        tell(f"{name}: {figure}")
    return report


def _rows(calls: Sequence[tuple[str, float, float]], runner: PodRunner, begin_s: float, end_s: float) -> list[Row]:
    rows = [Row(name, (begin - begin_s) * 1e3, (end - begin_s) * 1e3) for name, begin, end in calls if begin < end_s]
    before_ms = sum(runner.phases_ms.get(phase, 0.0) for phase in ("images", "queued"))
    rows.append(Row(OWN[0], before_ms, before_ms + runner.phases_ms.get("sandbox", 0.0)))
    return sorted(rows, key=lambda row: row.begin_ms)


def median_rows(launches: Sequence[Sequence[Row]]) -> list[Row]:
    """Each row by its name and its occurrence within the launch, if most of the launches have it."""
    found: dict[tuple[str, int], list[Row]] = {}
    for rows in launches:
        seen: dict[str, int] = {}
        for row in rows:
            seen[row.name] = seen.get(row.name, 0) + 1
            found.setdefault((row.name, seen[row.name]), []).append(row)
    most = [rows for rows in found.values() if 2 * len(rows) > len(launches)]
    medians = [
        Row(
            rows[0].name,
            round(statistics.median(row.begin_ms for row in rows), 2),
            round(statistics.median(row.end_ms for row in rows), 2),
        )
        for rows in most
    ]
    return sorted(medians, key=lambda row: row.begin_ms)


def shares(rows: Sequence[Row], took_ms: float) -> dict[str, float]:
    """Whose each millisecond of a launch is; the sum is the launch's time."""
    kinds = {"shim and runc": list[Row](), "containerd": list[Row](), "CNI plugin": list[Row]()}
    for row in rows:
        if row.name not in OWN:
            kind = "shim and runc" if row.name in SHIM else "CNI plugin" if row.name == NETWORK else "containerd"
            kinds[kind].append(row)
    counted: list[tuple[float, float]] = []
    parts = {}
    for kind, members in kinds.items():
        before_ms = _covered(counted)
        counted += [(max(0.0, row.begin_ms), min(took_ms, row.end_ms)) for row in members if row.begin_ms < took_ms]
        parts[kind] = _covered(counted) - before_ms
    return parts | {"executor": took_ms - _covered(counted)}


def _covered(spans: Sequence[tuple[float, float]]) -> float:
    """How much is in at least one of the spans."""
    total = reached = 0.0
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
