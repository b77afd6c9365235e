"""How fast images are pulled from a registry on this machine, beside `ctr images pull`: download, check and unpack.

Each pull is of an image of its own, since containerd keeps what it has.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from tests.bench.bench import BARE, Harness
from tests.bench.figures import Figure, Report
from tests.bench.peers.programs import NotInstalled, find, run
from tests.support.images import ImageSpec, gzipped
from tests.support.registry import Registry

SIZE_MIB = 48
"""Of the layer that each image has for itself; its bytes are random."""


async def measure(harness: Harness, registry: Registry, turns: int, tell: Callable[[str], None]) -> Report:
    """In turns, in the other order in every second one; the first warms up."""
    try:
        ctr = [find("ctr"), "--address", harness.rig.containerd.address, "--namespace", BARE, "images", "pull"]
    except NotInstalled as error:
        return Report(absent={"ctr images pull": str(error)})
    taken: dict[str, list[float]] = {"executor": [], "ctr": []}
    for turn in range(turns + 1):
        names = {name: f"{registry.host}/bench/{name}-{turn}:1" for name in taken}
        for name in names:
            await asyncio.to_thread(_push, registry, f"bench/{name}-{turn}")
        for name in taken if turn % 2 else reversed(taken):
            if name == "executor":
                runners = await harness.up(1, image=names[name])
                took_ms = runners[0].phases_ms["images"]
                await harness.down(runners)
            else:
                begin_s = time.perf_counter()
                await asyncio.to_thread(run, [*ctr, "--plain-http", "--snapshotter", "overlayfs", names[name]])
                took_ms = (time.perf_counter() - begin_s) * 1e3
            if turn:
                taken[name].append(took_ms)
    figures = {name: Figure.of(each) for name, each in taken.items()}
    report = Report(figures={"pull, executor over ctr": figures["executor"].over(figures["ctr"])})
    for name, figure in figures.items():
        report.figures[f"pull of {SIZE_MIB} MiB, {name}, ms"] = figure
        rates = Figure.of(SIZE_MIB / (each / 1e3) for each in figure.samples)
        report.figures[f"pull throughput, {name}, MiB/s"] = rates
        tell(f"pull of {SIZE_MIB} MiB, {name}: {figure} ms, {rates} MiB/s")
    return report


def _push(registry: Registry, repository: str) -> None:
    image = ImageSpec("unused", files={"data": os.urandom(SIZE_MIB << 20)})
    registry.push(repository, "1", image)
    gzipped.cache_clear()
