"""To which containers devices of the node are closed, and what becomes of a launch where they cannot be."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from cgroups import Hierarchies, Tree
from executor.errors import Failure
from executor.names import PodClass, PodId
from executor.pod.container import closed_devices
from executor.pod.container.containers import Containers
from executor.pod.node import Node
from executor.pod.sandbox import Sandbox
from executor.spec.model import PodSpec
from executor.spec.security_model import Security
from executor.spec.volume_model import HostPath, VolumeMount
from tests.support.empty_containerd import Calls, empty_containerd
from tests.unit.pod.lives import spec
from tests.unit.pod.nodes import opened
from tests.unit.pod.test_containers import MADE, RECORDED, UNDONE, Place, web

POD = PodId("pod-1")


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    async with empty_containerd(tmp_path / "c.sock") as found:
        yield found


@pytest.fixture
async def node(tmp_path: Path, calls: Calls) -> AsyncIterator[Node]:
    """It has the devices of v1, and crun."""
    (tmp_path / "sandbox").mkdir()
    async with AsyncExitStack() as stack:
        found = await opened(tmp_path, stack)
        tree = Tree(Hierarchies({"devices": tmp_path / "cgroup"}), found.tree.root_path)
        yield replace(found, tree=tree, runtimes=dict.fromkeys(PodClass, "/usr/bin/crun"))


def written_to(node: Node, pod: PodSpec) -> int:
    """A pipe in the place of the file of the group of the pod's only container, which the kernel reads by lines."""
    group = node.tree.container(pod.pod_class, pod.role, POD, pod.containers[0].name)
    file = node.tree.hierarchies.v1["devices"] / group.path.lstrip("/") / "devices.deny"
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    return os.open(file, os.O_RDONLY | os.O_NONBLOCK)


def one(security: Security = Security(), *, mounts: str = "") -> PodSpec:  # noqa: B008 # it is frozen
    made = spec()
    granted = (VolumeMount("device", "/device"),) if mounts else ()
    container = replace(made.containers[0], security=security, mounts=granted)
    volumes = (HostPath("device", mounts, beneath=mounts),) if mounts else ()
    return replace(made, containers=(container,), volumes=volumes)


HAS_CONSOLE = pytest.mark.skipif(not Path("/dev/console").is_char_device(), reason="this machine has no console")
HAS_TUN = pytest.mark.skipif(not Path("/dev/net/tun").is_char_device(), reason="this machine has no tun")


@pytest.mark.parametrize(
    ("pod", "lines"),
    [
        (one(), ["c 5:1 rw", "c 10:200 rw"]),
        (one(mounts="/dev/zero"), ["c 5:1 rw", "c 10:200 rw"]),
        (one(Security(privileged=True)), []),
        (one(Security(add_capabilities=("CAP_NET_ADMIN",))), ["c 5:1 rw", "c 10:200 rw"]),
        pytest.param(one(mounts="/dev/console"), ["c 10:200 rw"], marks=HAS_CONSOLE),
        pytest.param(one(mounts="/dev/net/tun"), ["c 5:1 rw"], marks=HAS_TUN),
    ],
    ids=["any", "other device", "privileged", "administers networks", "console", "tun"],
)
async def test_they_are_closed_to_those_that_may_not_open_them(node: Node, pod: PodSpec, lines: list[str]) -> None:
    pipe = written_to(node, pod)
    try:
        await closed_devices.close(node, POD, pod, pod.containers[0])
        assert os.read(pipe, 1000).decode() == "".join(lines)
    finally:
        os.close(pipe)


async def test_where_they_cannot_be_closed_crun_starts_nothing_and_runc_goes_on(node: Node) -> None:
    pod = one()
    with pytest.raises(Failure) as failure:
        await closed_devices.close(node, POD, pod, pod.containers[0])
    names = "the console (5:1) and /dev/net/tun (10:200)"
    assert f"{failure.value.subject}: the node's devices {names} cannot be closed to it: " in str(failure.value)
    assert '[containerd] runtime = "runc"' in failure.value.hint
    for program in ("runc", "/opt/bin/runc"):
        await closed_devices.close(
            replace(node, runtimes=dict.fromkeys(PodClass, program)), POD, pod, pod.containers[0]
        )


async def test_a_container_to_which_they_cannot_be_closed_is_not_started_and_goes(node: Node, calls: Calls) -> None:
    async with node.outputs:
        sandbox = Sandbox(node, POD, web())
        await sandbox.prepare()
        place = Place(Containers(node, POD, web(), sandbox), calls, [])
        calls.replies["Tasks/Create"] = place.first_process
        place.asked()
        try:
            with pytest.raises(Failure, match="console"):
                await place.containers.create("app")
            assert set(place.asked()) == {*RECORDED, *MADE}
            assert await place.containers.remove_all() == []
            assert set(place.asked()) >= UNDONE - {"Leases/Delete"}
        finally:
            for process in place.processes:
                process.kill()
                process.wait()
