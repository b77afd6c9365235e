"""Counts what one pod uses of the disk, and what the sandbox holds beside the living pods."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.disk import usage
from executor.disk.unlinked import OpenUnlinked
from executor.disk.usage import DiskUsage
from executor.disk.walk import Count, Walk
from executor.errors import ContainerdUnavailable, ExecutorError, NotFound
from executor.names import PODS

if TYPE_CHECKING:
    from executor.pod.node import Node
    from executor.pod.runner import PodRunner
    from executor.spec.model import PodSpec

USAGE_S: Final = 5.0
"""How long containerd may take to count a root file system; after that its last number is used."""
AGAIN_S: Final = 30.0
"""Until containerd is asked again after it did not answer."""
CALL_COST_S: Final = 0.001
"""CPU time of one such call, here and in containerd."""
AT_ONCE: Final = 4
"""Root file systems that containerd counts at the same time."""


class Counting:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._layers: list[Path] = []
        self._silent_until_s = 0.0
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._slow: dict[str, float] = {}
        """Snapshots that took too long to count, and when they are counted again."""

    async def of_pod(self, runner: PodRunner) -> tuple[DiskUsage, float]:
        """And what counting has cost in CPU time, seconds. Raises OSError."""
        containers = [container.name for container in runner.spec.containers]
        walk = Walk(runner.sandbox.files, usage.divider(containers))
        await self._node.counting.run(walk)
        before = runner.sandbox.disk
        rootfs = dict(before.rootfs) if before is not None else {}
        complete, cost_s = walk.count.complete, walk.count.cpu_s + CALL_COST_S * len(containers)
        for name in containers:
            if (count := await self._rootfs(runner, name)) is not None:
                rootfs[name] = count.bytes.total()
                complete, cost_s = complete and count.complete, cost_s + count.cpu_s
        removed = OpenUnlinked(runner.sandbox.cgroup.pids(), runner.sandbox.files, _host_paths(runner.spec))
        await self._node.counting.run(removed)
        found = usage.of_parts(walk.count.bytes, rootfs, complete=complete, unlinked=removed.bytes)
        return found, cost_s + removed.cpu_s

    async def _rootfs(self, runner: PodRunner, container: str) -> Count | None:
        """The size of the writable layer; None if containerd does not know it now. Raises OSError."""
        snapshot, now_s = runner.containers.snapshot(container), time.monotonic()
        if snapshot is None or now_s < max(self._silent_until_s, self._slow.get(snapshot, 0.0)):
            return None
        try:
            async with self._turn, asyncio.timeout(USAGE_S):
                return Count(Counter({"": await self._node.containerd.snapshots.usage(snapshot)}))
        except ContainerdUnavailable:
            self._silent_until_s = now_s + AGAIN_S
        except TimeoutError:
            self._slow = {key: at_s for key, at_s in self._slow.items() if at_s > now_s} | {snapshot: now_s + AGAIN_S}
        except NotFound:  # it is being made or removed
            return None
        except ExecutorError:  # files that are renamed meanwhile make containerd's own count fail
            return await self._layer(snapshot)
        return None

    async def _layer(self, snapshot: str) -> Count | None:
        """Counted here; None for a snapshotter without a directory on this node. Raises OSError."""
        upper = await self._upper(snapshot)
        if upper is None or not await asyncio.to_thread(upper.is_dir):
            return None
        walk = Walk(upper)
        await self._node.counting.run(walk)
        return walk.count

    async def _upper(self, snapshot: str) -> Path | None:
        """The directory of overlayfs that the snapshot's container writes to."""
        try:
            async with asyncio.timeout(USAGE_S):
                mounts = await self._node.containerd.snapshots.mounts(snapshot)
        except (ExecutorError, TimeoutError):
            return None
        found = [option for mount in mounts for option in mount.options if option.startswith("upperdir=")]
        return Path(found[0].removeprefix("upperdir=")) if found else None

    async def of_sandbox(self, living: Collection[str]) -> int:
        """Bytes in the Mesos sandbox beside the directories of the living pods: logs of ended pods, the journal, the
        log. Raises OSError.
        """
        names = {each.encode() for each in living}

        def part(above: str, depth: int, name: bytes) -> str | None:
            if depth == 0:
                return PODS if name == PODS.encode() else ""
            return None if depth == 1 and above == PODS and name in names else above

        walk = Walk(self._node.mesos_sandbox, part)
        await self._node.counting.run(walk)
        return walk.count.bytes.total()

    async def layers(self, runner: PodRunner) -> list[Path]:
        """Where the writable layers are on this node, for statvfs; empty while it is not known, and for a snapshotter
        that has no such directory.
        """
        snapshots = [runner.containers.snapshot(container.name) for container in runner.spec.containers]
        if not self._layers and (snapshot := next(filter(None, snapshots), None)) is not None:
            upper = await self._upper(snapshot)
            self._layers = [upper.parent.parent] if upper is not None else []
        return self._layers


def _host_paths(spec: PodSpec) -> list[str]:
    """Where containers have the node's own directories."""
    named = {volume.name for volume in spec.host_paths}
    return [mount.path for container in spec.containers for mount in container.mounts if mount.volume in named]
