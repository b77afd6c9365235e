"""Connecting, and what is said when nobody is there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.containerd.api.tasks_pb2 import ListTasksRequest, ListTasksResponse
from executor.containerd.channel import Channel
from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.images.store import ImageStore
from tests.integration.containerd.launching import Launcher, alive, wait_dead
from tests.support import cgroupdirs
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive

pytestmark = pytest.mark.root


async def test_connecting_ensures_the_namespace_and_tells_the_version(node: PrivateContainerd) -> None:
    async with await Containerd.connect(f"unix://{node.address}", "new-one") as client:
        assert re.match(r"[12]\.\d+\.\d+", await client.version())
        assert client.namespace == "new-one"
    async with await Containerd.connect(node.address, "new-one") as again:
        assert await again.containers.list() == ()


async def test_a_missing_socket_is_named(tmp_path: Path) -> None:
    began = time.monotonic()

    with pytest.raises(ContainerdUnavailable) as caught:
        await Containerd.connect(str(tmp_path / "nobody.sock"), "test")

    assert str(tmp_path / "nobody.sock") in str(caught.value)
    assert "is containerd running" in str(caught.value)
    assert time.monotonic() - began < 2


async def test_a_path_too_long_for_a_socket_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContainerdFailure, match="longer than 107 bytes"):
        await Containerd.connect(str(tmp_path / ("x" * 120)), "test")


async def test_a_namespace_that_containerd_refuses(node: PrivateContainerd) -> None:
    with pytest.raises(ContainerdFailure, match="not/valid"):
        await Containerd.connect(node.address, "not/valid")


async def test_somebody_who_never_answers_is_unavailable(tmp_path: Path) -> None:
    path = str(tmp_path / "mute.sock")
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen()

        with pytest.raises(ContainerdUnavailable, match=r"mute\.sock"):
            await Containerd.connect(path, "test")


async def test_a_call_to_a_containerd_that_hangs_ends_at_its_deadline() -> None:
    with PrivateContainerd() as node:
        channel = Channel(node.address, "test")
        request, reply, method = ListTasksRequest(), ListTasksResponse, "tasks.v1.Tasks/List"
        await channel.call(method, request, reply, subject="tasks")
        os.kill(node.pid, signal.SIGSTOP)
        await asyncio.to_thread(_wait_stopped, node.pid)

        with pytest.raises(ContainerdUnavailable, match="did not answer in time"):
            await channel.call(method, request, reply, subject="tasks", timeout_s=0.3)

        os.kill(node.pid, signal.SIGCONT)
        await channel.call(method, request, reply, subject="tasks")
        await channel.close()


async def test_a_containerd_that_comes_back_is_found_within_a_second() -> None:
    with PrivateContainerd() as node:
        async with await Containerd.connect(node.address, "test") as client:
            node.kill()
            for _ in range(20):
                with pytest.raises(ContainerdUnavailable):
                    await client.version()
                await asyncio.sleep(0.05)
            node.start()
            began = time.monotonic()
            while True:
                try:
                    await client.version()
                    break
                except ContainerdUnavailable:
                    await asyncio.sleep(0.01)

            assert time.monotonic() - began < 1.5


async def test_a_private_containerd_leaves_nothing(tmp_path: Path) -> None:
    before = _shim_sockets()
    with PrivateContainerd() as node:
        async with await Containerd.connect(node.address, "leaks") as client:
            await ImageStore(client).import_archive(write_archive(tmp_path / "busybox.tar", ImageSpec()))
            launcher = Launcher(client, node.cgroup, tmp_path)
            pids = [await launcher.run(name, "sleep 1000") for name in ("one", "two")]
            shims = node.shims()
            os.kill(shims[0], signal.SIGKILL)  # containerd removes what names this one's socket, but not the socket
            assert await wait_dead(shims[0]) and (await wait_dead(pids[0]) or await wait_dead(pids[1]))
        sockets = _shim_sockets() - before
        assert len(sockets) >= 2

    assert not node.directory.exists()
    assert not [pid for pid in (*pids, *shims) if alive(pid)]
    assert cgroupdirs.below(node.cgroup) == []
    mountinfo, runc_state = Path("/proc/self/mountinfo"), Path("/run/containerd/runc/leaks")
    assert node.directory.name not in await asyncio.to_thread(mountinfo.read_text)
    assert not await asyncio.to_thread(runc_state.exists)
    assert not _shim_sockets() & sockets


def test_what_a_killed_test_run_left_is_removed_by_the_next() -> None:
    program = (
        "import os, sys; from tests.support.containerd import PrivateContainerd\n"
        "node = PrivateContainerd().__enter__(); print(node.pid, node.directory, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid, directory = done.stdout.split()
    assert alive(int(pid)) and Path(directory).exists()

    with PrivateContainerd():
        assert not Path(directory).exists()
        assert not alive(int(pid))


def test_grpc_is_loaded_late_and_its_fork_handlers_are_off() -> None:
    program = (
        "import sys, executor.containerd, executor.containerd.types, executor.containerd.errors\n"
        "assert 'grpc' not in sys.modules and 'google.protobuf' not in sys.modules\n"
        "from executor.containerd import Containerd; import os\n"
        "assert 'grpc' in sys.modules and os.environ['GRPC_ENABLE_FORK_SUPPORT'] == '0'"
    )
    environment = {**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _wait_stopped(pid: int) -> None:
    """Each thread stops when it is next scheduled."""
    while any(
        thread.read_text().rpartition(")")[2].split()[0] != "T" for thread in Path(f"/proc/{pid}/task").glob("*/stat")
    ):
        time.sleep(0.01)


def _shim_sockets() -> set[str]:
    return {path.name for path in Path("/run/containerd/s").glob("*")}
