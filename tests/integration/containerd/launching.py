"""From an image to a running container and back, with the adapter's own calls and nothing else."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

from executor.containerd import Containerd
from executor.images.store import ImageStore
from tests.support.images import ImageSpec

IMAGE = ImageSpec().name
OWNER = {"mpe/test": "yes"}


class Launcher:
    def __init__(self, client: Containerd, cgroup: str, directory: Path) -> None:
        self.client = client
        self._cgroup = cgroup
        self._directory = directory

    def out(self, name: str) -> Path:
        return self._directory / f"{name}.out"

    def err(self, name: str) -> Path:
        return self._directory / f"{name}.err"

    async def create(self, name: str, script: str, *, shim_group: str = "", image_name: str = IMAGE) -> int:
        """A container whose process waits to be started; its pid."""
        client = self.client
        image = await ImageStore(client).lookup(image_name)
        for path in (self.out(name), self.err(name)):
            path.touch()
        async with client.leases.hold("launch", expire_s=60) as lease:
            mounts = await client.snapshots.prepare(name, image.chain_id, lease=lease, labels=OWNER)
            spec = oci_spec(["/bin/sh", "-c", script], f"{self._cgroup}/{name}")
            await client.containers.create(
                name,
                image=image.name,
                snapshot_key=name,
                spec=spec,
                labels=OWNER,
                shim_group=shim_group,
                lease=lease,
            )
        return await client.tasks.create(name, mounts, stdout=self.out(name), stderr=self.err(name))

    async def run(self, name: str, script: str, *, shim_group: str = "") -> int:
        await self.create(name, script, shim_group=shim_group)
        return await self.client.tasks.start(name)

    async def remove(self, name: str) -> None:
        """Kill, delete, forget. Every step may be repeated."""
        tasks = self.client.tasks
        if await tasks.kill(name, signal.SIGKILL, all=True):
            await tasks.wait(name)
        await tasks.delete(name)
        await self.client.containers.delete(name)
        await self.client.snapshots.remove(name)

    async def remove_all(self) -> None:
        for container in await self.client.containers.list():
            await self.remove(container.id)


def oci_spec(args: list[str], cgroup: str) -> dict[str, object]:
    """The least that runs a shell: own namespaces, an empty network, no limits."""
    return {
        "ociVersion": "1.0.2",
        "process": process(args),
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
        },
    }


def process(args: list[str]) -> dict[str, object]:
    return {
        "user": {"uid": 0, "gid": 0},
        "args": args,
        "env": ["PATH=/bin"],
        "cwd": "/",
        "noNewPrivileges": True,
        "capabilities": {kind: ["CAP_KILL"] for kind in ("bounding", "effective", "permitted")},
    }


async def eventually(text: str, path: Path, *, timeout_s: float = 10.0) -> str:
    """The content of a file, once it holds `text`."""
    deadline = time.monotonic() + timeout_s
    while text not in (content := await asyncio.to_thread(path.read_text)):
        assert time.monotonic() < deadline, f"{text!r} does not appear in {path}: {content!r}"
        await asyncio.sleep(0.01)
    return content


def alive(pid: int) -> bool:
    """A zombie is not: nobody but its parent can do anything about it."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def wait_dead(pid: int, *, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False
