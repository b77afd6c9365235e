"""Containers that share a shim, beside those with a shim each: memory, launch, and what a failed shim takes along.

Run it as root: `python -m tests.support.node -- python -m tests.bench.shims`. The executor takes no part in it: the
calls are containerd's own, without a network, and the two kinds take turns. The first container of a group is made
alone, since two that start at the same moment start a shim each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from executor.containerd import Containerd
from executor.containerd.api import tasks_pb2
from executor.images.store import ImageStore
from tests.bench.bare import Bare
from tests.bench.documents import minimal
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive

GROUP = "io.containerd.runc.v2.group"
EACH, PODS, TURNS, AT_ONCE = 8, 24, 5, 4
ANSWER_S = 3.0
"""A shim that has not answered after this time is taken for stopped."""


class Shims:
    """Containers named `KIND-GROUP-NUMBER`; those whose kind is `shared` have one shim for each group."""

    def __init__(self, containerd: PrivateContainerd, chain_id: str, directory: Path) -> None:
        self._containerd = containerd
        self._chain_id = chain_id
        self.bare = Bare(containerd.address, "shims", chain_id, None, directory, self._document)

    def _document(self, name: str, netns: Path) -> dict[str, Any]:
        document = minimal(self._containerd.cgroup, ("sleep", "100000"))(name, netns)
        kind, group, _ = name.split("-")
        return document | {"annotations": {GROUP: f"{kind}-{group}"} if kind == "shared" else {}}

    def up(self, names: Sequence[str]) -> float:
        """Milliseconds until all run."""
        first = [name for name in names if name.startswith("shared") and name.endswith("-0")]
        rest = [name for name in names if name not in first]
        begin_s = time.perf_counter()
        for some in (first, rest):
            self.bare.many(some, self.bare.up, AT_ONCE)
        return (time.perf_counter() - begin_s) * 1e3

    def down(self, names: Sequence[str]) -> int:
        """How many could not be removed whole: a shim that ends with its last container may cut off the other calls."""
        failed: list[str] = []

        def down(name: str) -> None:
            try:
                self.bare.down(name)
            except grpc.RpcError:
                failed.append(name)
                self.bare.release(name)

        self.bare.many(list(names), down, AT_ONCE)
        return len(failed)

    def pss_mb(self) -> float:
        """Of all shims; a page that several share counts in part for each."""
        kb = 0
        for pid in self._containerd.shims():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kb += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return kb / 1024

    def shim_of(self, pid: int) -> int:
        """The parent of a container's first process."""
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])

    def answers(self, name: str) -> bool:
        """Whether the shim answers for this container."""
        call = self.bare.call
        try:
            call(
                "tasks.v1.Tasks/ListPids",
                tasks_pb2.ListPidsRequest(container_id=name),
                tasks_pb2.ListPidsResponse,
                ANSWER_S,
            )
        except grpc.RpcError:
            return False
        return True


def names(kind: str, turn: int) -> list[str]:
    return [f"{kind}-{turn}x{number // EACH}-{number % EACH}" for number in range(PODS)]


def launches(shims: Shims) -> dict[str, Any]:
    """Medians over the turns; the ratios are those of neighbours."""
    found: dict[str, list[float]] = {"alone_ms": [], "shared_ms": [], "alone_mb": [], "shared_mb": []}
    cut_off = {"alone": 0, "shared": 0}
    for turn in range(TURNS + 1):
        for kind in ("alone", "shared"):
            each = names(kind, turn)
            took_ms, mb = shims.up(each), shims.pss_mb()
            cut_off[kind] += shims.down(each)
            if turn:  # the first turn warms both up
                found[f"{kind}_ms"].append(took_ms / PODS)
                found[f"{kind}_mb"].append(mb / PODS)
    ratios = [shared / alone for shared, alone in zip(found["shared_ms"], found["alone_ms"], strict=True)]
    medians = {name: round(statistics.median(values), 2) for name, values in found.items()}
    spread = [round(each, 2) for each in (min(ratios), statistics.median(ratios), max(ratios))]
    return medians | {"launch_ratio_least_median_most": spread, "removals_cut_off": cut_off}


def failed(shims: Shims, kind: str, number: signal.Signals) -> dict[str, Any]:
    """What ends, and what does not answer, after a signal to the shim of one container of two groups."""
    each = names(kind, 90 + number)[: 2 * EACH]
    pids = {}

    def up(name: str) -> None:
        pids[name] = shims.bare.up(name)

    for name in each:
        up(name)
    shim = shims.shim_of(pids[each[0]])
    os.kill(shim, number)
    time.sleep(2.0)
    ended = sum(not Path(f"/proc/{pid}").exists() for pid in pids.values())
    mute = 0 if number == signal.SIGKILL else sum(not shims.answers(name) for name in each)
    if number == signal.SIGSTOP:
        os.kill(shim, signal.SIGCONT)
    shims.down(each)
    return {"containers": len(each), "ended": ended, "mute": mute}


def serialised(shims: Shims) -> dict[str, Any]:
    """How long the creates of the seven further containers of one group take at once, beside seven with own shims."""
    found: dict[str, list[float]] = {"alone_ms": [], "shared_ms": []}
    for turn in range(TURNS):
        for kind in ("alone", "shared"):
            each = [f"{kind}-{turn}y-{number}" for number in range(EACH)]
            shims.bare.up(each[0])
            begin_s = time.perf_counter()
            shims.bare.many(each[1:], shims.bare.up, EACH)
            found[f"{kind}_ms"].append((time.perf_counter() - begin_s) * 1e3)
            shims.down(each)
    ratios = [shared / alone for shared, alone in zip(found["shared_ms"], found["alone_ms"], strict=True)]
    medians = {name: round(statistics.median(values), 1) for name, values in found.items()}
    return medians | {"ratio": round(statistics.median(ratios), 2)}


async def image(containerd: PrivateContainerd, directory: Path) -> str:
    spec = ImageSpec()
    async with await Containerd.connect(containerd.address, "shims") as client:
        await ImageStore(client).import_archive(write_archive(directory / "image.tar", spec))
        return (await ImageStore(client).lookup(spec.name)).chain_id


def main() -> None:
    with PrivateContainerd() as containerd, tempfile.TemporaryDirectory() as directory:
        shims = Shims(containerd, asyncio.run(image(containerd, Path(directory))), Path(directory))
        parts: dict[str, Callable[[], dict[str, Any]]] = {"launches": lambda: launches(shims)}
        parts["creates at once"] = lambda: serialised(shims)
        for kind in ("alone", "shared"):
            for number in (signal.SIGKILL, signal.SIGSTOP):
                parts[f"{number.name}, {kind}"] = lambda kind=kind, number=number: failed(shims, kind, number)  # type: ignore[misc]
        for name, part in parts.items():
            print(json.dumps({name: part()}), flush=True)


if __name__ == "__main__":
    main()
