"""What a command in a container costs, as a probe runs it: the CPU time of this process, and of containerd with runc.

Run it as root: `python -m tests.support.node -- python -m tests.bench.commands`.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path

import psutil

from executor.containerd import Containerd
from executor.exec.late import LateStarts
from executor.exec.run import Target, run
from executor.images.store import ImageStore
from executor.names import ContainerId
from tests.integration.containerd.launching import Launcher, process
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive

COUNT = 100


def cpu_s(pids: list[int]) -> float:
    """CPU seconds of these processes and of all of their children that have ended."""
    return sum(sum(psutil.Process(pid).cpu_times()[:4]) for pid in pids)


def node_pids() -> list[int]:
    """containerd and its shims."""
    found = [each for each in psutil.process_iter(["name"]) if str(each.info["name"]).startswith("containerd")]
    return [each.pid for each in found]


async def measure(containerd: PrivateContainerd, directory: Path) -> dict[str, float]:
    async with await Containerd.connect(containerd.address, "bench") as client:
        await ImageStore(client).import_archive(write_archive(directory / "image.tar", ImageSpec()))
        launcher = Launcher(client, containerd.cgroup, directory)
        await launcher.run("app", "sleep 1000")
        streams = directory / "streams"
        streams.mkdir()
        target = Target(client.tasks, ContainerId("app"), process(["/bin/sh"]), streams, LateStarts())
        await run(target, ("true",), timeout_s=30)
        pids, took_s = node_pids(), 0.0
        own_s, node_s = time.process_time(), cpu_s(pids)
        for _ in range(COUNT):
            begun_s = time.monotonic()
            assert (await run(target, ("true",), timeout_s=30)).exit_code == 0
            took_s += time.monotonic() - begun_s
        found = {
            "executor_ms": 1e3 * (time.process_time() - own_s) / COUNT,
            "node_ms": 1e3 * (cpu_s(pids) - node_s) / COUNT,
            "wall_ms": 1e3 * took_s / COUNT,
        }
        await launcher.remove_all()
        return {name: round(value, 2) for name, value in found.items()}


def main() -> None:
    with PrivateContainerd() as containerd, tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asyncio.run(measure(containerd, Path(directory)))))


if __name__ == "__main__":
    main()
