"""What containerd and runc still have of pods on a rig's node: no code of the reaper is used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil

from tests.support.containerd import RUNC_STATE, SHIM_SOCKETS
from tests.support.rig import NAMESPACE, WATCHER, Rig

_TASKS = "io.containerd.runtime.v2.task"


def remains(rig: Rig) -> dict[str, list[str]]:
    """By kind, what is left; a kind of which nothing is left is absent."""
    containerd = rig.containerd.directory
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    lines = [(each.pid, each.info["cmdline"]) for each in psutil.process_iter(["cmdline"])]
    watchers = [str(pid) for pid, line in lines if WATCHER in (line or [])]
    found = {
        "watchers": watchers,
        "shims": [str(pid) for pid in rig.containerd.shims()],
        "sockets": _entries(SHIM_SOCKETS),
        "bundles": _entries(containerd / "state" / _TASKS / NAMESPACE),
        "work": _entries(containerd / "root" / _TASKS / NAMESPACE),
        "runc": _entries(RUNC_STATE / NAMESPACE),
        "mounts": [mount for mount in mounts if mount.startswith((f"{containerd}/state/", f"{rig.run_dir}/volumes/"))],
        "cgroups": rig.cgroups(),
        "netns": _entries(rig.run_dir / "netns", "*/pod-*"),
        "records": _entries(rig.directory / "state/cni", "*/pod-*"),
        "ips": _entries(rig.directory / "ipam", "*/[0-9]*"),
        "marks": [
            *_entries(rig.run_dir / "netns"),
            *_entries(rig.run_dir / "volumes"),
            *_entries(rig.directory / "state/cni"),
        ],
        "owners": _entries(rig.run_dir, "*.owner"),
        **asyncio.run(_records(rig)),
    }
    return {kind: names for kind, names in found.items() if names}


async def _records(rig: Rig) -> dict[str, list[str]]:
    from executor.containerd import Containerd

    async with await Containerd.connect(rig.containerd.address, NAMESPACE) as client:
        return {
            "containers": [each.id for each in await client.containers.list()],
            "snapshots": [each.key for each in await client.snapshots.list() if each.kind == "active"],
            "leases": [each.id for each in await client.leases.list()],
        }


def _entries(directory: Path, pattern: str = "*") -> list[str]:
    while True:
        try:
            return sorted(map(str, directory.glob(pattern)))
        except FileNotFoundError:  # a directory was removed meanwhile
            continue
