"""The time of a launch: the executor, the bare calls with the same document and without, and what people would use.

All take turns in the same run. With the same document the bare calls have the same seccomp filter, mounts and
capabilities, so that the ratio says what the executor adds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from executor.containerd import Containerd
from tests.bench.bare import Bare
from tests.bench.bench import AT_ONCE, BARE, FULL_ONLY, ONE, Harness
from tests.bench.documents import Document, minimal, same
from tests.bench.figures import Figure, Report, Target
from tests.bench.peers.cri import Cri
from tests.bench.peers.ctr import Ctr
from tests.bench.peers.podman import Podman
from tests.bench.peers.programs import NotInstalled
from tests.support.images import ImageSpec, write_archive
from tests.support.rig import IMAGE, NAMESPACE, NETWORK, Rig

UNFILTERED = "bare without a filter"
TARGETS = {
    (1, "bare"): 1.0,
    (1, "podman"): 0.5,
    (1, "cri"): 0.6,
    (20, "bare"): 1.1,
    (50, "bare"): 1.1,
}
"""At most so many times the other's time, by the number of pods and the other."""
QUICK = {1: 10, 20: 2}
FULL = {1: 20, 10: 4, 20: 3, 50: 3, 110: 1, 250: 1, 500: 1}
"""Turns by the number of pods."""
UP_TO = {"ctr": 20, UNFILTERED: 20, "podman": 50, "cri": 50}
"""The most pods for which each takes part; the others always do."""
WARM = 10
"""With more pods no turn is needed to warm up."""


@dataclass(frozen=True)
class Contender:
    """`up` launches as many pods as there are names, and returns what `down` removes them with."""

    name: str
    up: Callable[[list[str]], Awaitable[Any]]
    down: Callable[[Any], Awaitable[object]]


class Peer(Protocol):
    def up(self, names: Sequence[str]) -> None: ...

    def down(self, names: Sequence[str]) -> None: ...


async def measure(harness: Harness, sizes: Mapping[int, int], tell: Callable[[str], None]) -> Report:
    """All sizes; `sizes` has the turns of each."""
    report = Report()
    with ExitStack() as stack:
        contenders = await _contenders(harness, stack, report, tell)
        for count, turns in sizes.items():
            taking_part = [each for each in contenders if count <= UP_TO.get(each.name, count)]
            report.add(await _turns(taking_part, count, turns, tell))
    for (count, name), most in TARGETS.items():
        target = f"launch_{count}_vs_{name}"
        if target not in report.targets:
            reason = report.absent.get(name, FULL_ONLY)
            report.skip({target: most}, reason)
    return report


async def _contenders(
    harness: Harness, stack: ExitStack, report: Report, tell: Callable[[str], None]
) -> list[Contender]:
    """The executor first. A peer that is not installed is one line."""
    rig = harness.rig
    found = [Contender("executor", lambda names: harness.up(len(names)), harness.down)]
    found.append(_calls("bare", bare(harness, await _same(harness))))
    found.append(_calls(UNFILTERED, bare(harness, minimal(rig.cgroup, ONE))))

    async def ctr() -> Peer:
        return Ctr(rig.containerd.address, BARE, IMAGE, f"{rig.cgroup}/bare", ONE)

    async def podman() -> Peer:
        peer = Podman(rig.directory / "podman", network(rig), f"{rig.cgroup}/bare", ONE)
        archive = write_archive(rig.directory / "podman.tar", ImageSpec(IMAGE), form="docker")
        await asyncio.to_thread(peer.load, archive)
        return peer

    async def cri() -> Peer:
        peer = stack.enter_context(Cri(rig.directory / "cri", network(rig), f"{rig.cgroup}/bare", ONE))
        await peer.load()
        return peer

    for name, make in (("ctr", ctr), ("podman", podman), ("cri", cri)):
        try:
            found.append(_peer(name, await make()))
        except NotInstalled as error:
            report.absent[name] = str(error)
            tell(f"{name}: {error}")
    return found


def _peer(name: str, peer: Peer) -> Contender:
    async def up(names: list[str]) -> list[str]:
        await asyncio.to_thread(peer.up, names)
        return names

    return Contender(name, up, lambda names: asyncio.to_thread(peer.down, names))


def _calls(name: str, bare: Bare) -> Contender:
    async def up(names: list[str]) -> list[str]:
        await asyncio.to_thread(bare.many, names, bare.up, AT_ONCE)
        return names

    return Contender(name, up, lambda names: asyncio.to_thread(bare.many, names, bare.down, AT_ONCE))


def bare(harness: Harness, document: Document) -> Bare:
    rig = harness.rig
    return Bare(rig.containerd.address, BARE, harness.chain_id, network(rig), rig.directory, document)


async def _same(harness: Harness) -> Document:
    """The document that the executor makes for the command of the launches."""
    runners = await harness.up(1, command=ONE)
    try:
        async with await Containerd.connect(harness.rig.containerd.address, NAMESPACE) as client:
            (container,) = await client.containers.list()
        return same(container.spec, harness.rig.cgroup, harness.rig.directory)
    finally:
        await harness.down(runners)


async def _turns(contenders: list[Contender], count: int, turns: int, tell: Callable[[str], None]) -> Report:
    """All in each turn, in the other order in every second one; of few pods the first turn warms all up."""
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(0 if count <= WARM else 1, turns + 1):
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
        tell(f"launch of {count:3}, {name:22}: {figure} ms" + (f"; ratio {ratio}" if name != "executor" else ""))
        if name != "executor":
            report.figures[f"launch of {count}, executor over {name}"] = ratio
        if most := TARGETS.get((count, name)):
            report.targets[f"launch_{count}_vs_{name}"] = Target(ratio, most)
    return report


def network(rig: Rig) -> dict[str, Any]:
    """The CNI configuration of the pods."""
    document: dict[str, Any] = json.loads((rig.cni_config / f"10-{NETWORK}.conf").read_text())
    return {**document, "cniVersion": "0.4.0"}
