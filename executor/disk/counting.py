"""Counts what one pod uses of the disk, and what the sandbox holds beside the living pods."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.disk import usage
from executor.disk.usage import DiskUsage
from executor.disk.walk import Walk
from executor.errors import ExecutorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from executor.pod.node import Node
    from executor.pod.runner import PodRunner

USAGE_S: Final = 10.0
"""How long containerd may take to count a root file system; after that its last number is used."""
CALL_COST_S: Final = 0.001
"""CPU time of one such call, here and in containerd."""
PODS: Final = "pods"


async def of_pod(node: Node, runner: PodRunner) -> tuple[DiskUsage, float]:
    """And what counting has cost in CPU time, seconds. Raises OSError."""
    containers = [container.name for container in runner.spec.containers]
    walk = Walk(runner.sandbox.directory, usage.divider(containers))
    await node.counting.run(walk)
    before = runner.sandbox.disk
    rootfs = dict(before.rootfs) if before is not None else {}
    for name in containers:
        if (size_bytes := await _rootfs(node, runner, name)) is not None:
            rootfs[name] = size_bytes
    cost_s = walk.count.cpu_s + CALL_COST_S * len(containers)
    return usage.of_parts(walk.count.bytes, rootfs, complete=walk.count.complete), cost_s


async def _rootfs(node: Node, runner: PodRunner, container: str) -> int | None:
    """The writable layer's bytes; None if containerd does not tell now."""
    snapshot = runner.containers.snapshot(container)
    if snapshot is None:
        return None
    with contextlib.suppress(ExecutorError, TimeoutError):
        async with asyncio.timeout(USAGE_S):
            return await node.containerd.snapshots.usage(snapshot)
    return None


async def of_sandbox(node: Node, living: Collection[str]) -> int:
    """Bytes in the Mesos sandbox beside the directories of the living pods: logs of ended pods, the journal, the log.
    Raises OSError.
    """
    names = {each.encode() for each in living}

    def part(above: str, depth: int, name: bytes) -> str | None:
        if depth == 0:
            return PODS if name == PODS.encode() else ""
        return None if depth == 1 and above == PODS and name in names else above

    walk = Walk(node.mesos_sandbox, part)
    await node.counting.run(walk)
    return walk.count.bytes.total()


async def snapshots_directory(node: Node, runner: PodRunner) -> Path | None:
    """Where the writable layers are on this node, for statvfs; None if the snapshotter has no such directory."""
    for container in runner.spec.containers:
        snapshot = runner.containers.snapshot(container.name)
        if snapshot is None:
            continue
        with contextlib.suppress(ExecutorError):
            for mount in await node.containerd.snapshots.mounts(snapshot):
                for option in mount.options:
                    if option.startswith("upperdir="):
                        return Path(option.removeprefix("upperdir=")).parent.parent
    return None
