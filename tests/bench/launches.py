"""The time of a launch: the executor, the bare calls with the same document and without, and what people would use.

All take turns in the same run. With the same document the bare calls have the same seccomp filter, mounts and
capabilities, so that the ratio says what the executor adds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from executor.containerd import Containerd
from tests.bench.bare import Bare
from tests.bench.bench import AT_ONCE, BARE, Harness
from tests.bench.documents import Document, minimal, same
from tests.bench.figures import Figure, Report, Target
from tests.bench.peers import Ctr
from tests.support.rig import IMAGE, NAMESPACE, NETWORK, Rig

ONE = ("sleep", "100000")
TARGETS = {
    (1, "bare"): 1.0,
    (1, "podman"): 0.5,
    (1, "cri"): 0.6,
    (20, "bare"): 1.1,
    (50, "bare"): 1.1,
}
"""At most so many times the other's time, by the number of pods and the other."""


@dataclass(frozen=True)
class Contender:
    """`up` launches as many pods as there are names, and returns what `down` removes them with."""

    name: str
    up: Callable[[list[str]], Awaitable[Any]]
    down: Callable[[Any], Awaitable[object]]


async def contenders(harness: Harness) -> list[Contender]:
    """The executor first, the bare calls with the same document second: the others are peers where installed."""
    rig = harness.rig
    found = [Contender("executor", lambda names: harness.up(len(names)), harness.down)]
    found.append(_calls("bare", bare(harness, await _same(harness))))
    found.append(_calls("bare without a filter", bare(harness, minimal(rig.cgroup, ONE))))
    if Ctr.is_installed():
        ctr = Ctr(rig.containerd.address, BARE, IMAGE, ONE)

        async def up(names: list[str]) -> list[str]:
            await asyncio.to_thread(ctr.up, names, f"{rig.cgroup}/bare")
            return names

        found.append(Contender("ctr", up, lambda names: asyncio.to_thread(ctr.down, names)))
    return found


def _calls(name: str, bare: Bare) -> Contender:
    async def up(names: list[str]) -> list[str]:
        await asyncio.to_thread(bare.many, names, bare.up, AT_ONCE)
        return names

    return Contender(name, up, lambda names: asyncio.to_thread(bare.many, names, bare.down, AT_ONCE))


def bare(harness: Harness, document: Document) -> Bare:
    rig = harness.rig
    return Bare(rig.containerd.address, BARE, harness.chain_id, _network(rig), rig.directory, document)


async def _same(harness: Harness) -> Document:
    """The document that the executor makes for the command of the launches."""
    runners = await harness.up(1, command=ONE)
    try:
        async with await Containerd.connect(harness.rig.containerd.address, NAMESPACE) as client:
            (container,) = await client.containers.list()
        return same(container.spec, harness.rig.cgroup, harness.rig.directory)
    finally:
        await harness.down(runners)


async def measure(contenders: list[Contender], count: int, turns: int, tell: Callable[[str], None]) -> Report:
    """All in each turn, in the other order in every second one; the first turn warms all up."""
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(turns + 1):
        for contender in contenders if turn % 2 else reversed(contenders):
            names = [f"{contender.name.replace(' ', '-')}-{count}-{turn}-{number}" for number in range(count)]
            begin_s = time.perf_counter()
            handle = await contender.up(names)
            took_ms = (time.perf_counter() - begin_s) * 1e3
            await contender.down(handle)
            if turn:
                taken[contender.name].append(took_ms)
    report = Report()
    figures = {name: Figure.of(each) for name, each in taken.items()}
    for name, figure in figures.items():
        report.figures[f"launch of {count}, {name}, ms"] = figure
        ratio = figures["executor"].over(figure)
        tell(f"launch of {count:2}, {name:22}: {figure} ms" + (f"; ratio {ratio}" if name != "executor" else ""))
        target = TARGETS.get((count, name))
        if target:
            report.targets[f"launch_{count}_vs_{name}"] = Target(ratio, target)
    for (pods, name), most in TARGETS.items():
        if pods == count and name not in figures:
            report.skip({f"launch_{count}_vs_{name}": most}, f"{name} is not measured here")
    return report


def _network(rig: Rig) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((rig.cni_config / f"10-{NETWORK}.conf").read_text())
    return {**document, "cniVersion": "0.4.0"}
