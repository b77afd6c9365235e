"""The peers that inject faults: each fault is what it says, and without one nothing changes."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.concurrency import patiently
from executor.containerd import Containerd
from executor.errors import ContainerdUnavailable
from tests.support import faults_cni
from tests.support.containerd import PrivateContainerd
from tests.support.faults import Plan
from tests.support.faults_containerd import ContainerdFaults

pytestmark = pytest.mark.root

NAMESPACE = "faults"


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerdFaults]:
    directory = tmp_path_factory.mktemp("p")
    with PrivateContainerd() as containerd, ContainerdFaults(containerd.address, directory) as found:
        yield found


async def leases(client: Containerd) -> set[str]:
    return {each.id for each in await client.leases.list()}


async def test_without_a_plan_calls_and_streams_pass(proxy: ContainerdFaults) -> None:
    async with await Containerd.connect(proxy.address, NAMESPACE) as client:
        await client.leases.create("one", labels={"a": "b"}, expire_s=60)
        (lease,) = await client.leases.list()
        assert lease.labels["a"] == "b"
        await client.leases.delete(lease.id)
        assert not await client.leases.list()


@pytest.mark.parametrize(
    ("kind", "done"), [("fail", False), ("deadline", False), ("cut", True), ("late", True), ("hang", True)]
)
async def test_a_call_fails_and_is_done_or_not(proxy: ContainerdFaults, kind: str, done: bool) -> None:
    async with await Containerd.connect(proxy.address, NAMESPACE) as client:
        before = await leases(client)
        proxy.set(Plan(1, 1.0, (kind,), 0.3, only=("Leases/Create",)))
        with pytest.raises(ContainerdUnavailable):
            await client.leases.create(f"of-{kind}", expire_s=60)
        proxy.set(None)
        assert len(await leases(client)) == len(before) + done


async def test_a_delay_is_all(proxy: ContainerdFaults) -> None:
    async with await Containerd.connect(proxy.address, NAMESPACE) as client:
        proxy.set(Plan(5, 1.0, ("delay",), 0.5, only=("Leases/List",)))
        begun_s = time.monotonic()
        await client.leases.list()
        assert time.monotonic() - begun_s >= proxy.injected()[-1]["seconds"]
        proxy.set(None)


async def test_a_proxy_that_ends_breaks_the_connection_for_a_moment(proxy: ContainerdFaults) -> None:
    async with await Containerd.connect(proxy.address, NAMESPACE) as client:
        proxy.stop()
        with pytest.raises(ContainerdUnavailable):
            await client.leases.list()
        proxy.start()
        await patiently(client.version, patience_s=5)


def plugin(directory: Path, kind: str) -> subprocess.CompletedProcess[bytes]:
    """The loopback plugin for this process's own namespace, which has one already."""
    (directory / "p").mkdir(exist_ok=True)
    faults = faults_cni.make(directory / "p" / kind)
    faults.set(Plan(1, 1.0, (kind,), 0.2) if kind != "none" else None)
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c",
        "CNI_NETNS": "/proc/self/ns/net",
        "CNI_IFNAME": "lo",
        "CNI_PATH": str(directory / "p" / kind / "plugins"),
        "PATH": os.environ["PATH"],
    }
    document = json.dumps({"cniVersion": "0.4.0", "name": "lo", "type": "loopback"}).encode()
    command = [directory / "p" / kind / "plugins" / "loopback"]
    return subprocess.run(command, env=environment, input=document, capture_output=True, check=False, timeout=20)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("none", 0),
        ("fail-before", 1),
        ("fail-after", 1),
        ("killed-before", -9),
        ("killed-after", -9),
        ("hang-after", 0),
    ],
)
def test_a_plugin_ends_as_the_fault_says(tmp_path: Path, kind: str, code: int) -> None:
    done = plugin(tmp_path, kind)
    assert done.returncode == code, done.stderr
    if kind.startswith("fail"):
        assert json.loads(done.stdout)["msg"] == "injected"
    elif code == 0:
        assert "interfaces" in json.loads(done.stdout)
    else:
        assert done.stdout == b""
