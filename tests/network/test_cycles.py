"""Two hundred pods that come and go, twenty at a time, with a fault in a plugin of nearly every one: nothing is left.

What a pod has on the network is made and removed by the executor's own code, as a whole: cgroup, namespace, attachment
with rules for a host port, and names. A plugin fails, dies or hangs, before or after its work, at each step of ADD and
DEL.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cgroups import Hierarchies, Tree
from executor.config import CniSection, Config, NodeSection
from executor.containerd import Containerd
from executor.dns import HostsDir, Names
from executor.dns.names import Zones
from executor.errors import NetworkFailure
from executor.images.images import Images
from executor.mesos import agent_flags
from executor.mesos.resources import Resources
from executor.names import AgentId, MesosContainerId, PodClass, PodId, Role, TaskId
from executor.netlink import NetworkWatch
from executor.node.claims import Claim
from executor.node.shims import Shims
from executor.output.outputs import Outputs
from executor.pod.network.executor_network import OwnNetwork
from executor.pod.node import Node
from executor.pod.resources.classes import Classes
from executor.pod.resources.cpu_boost import CpuBoost
from executor.pod.sandbox import Sandbox
from executor.spec.model import PodSpec, PortMapping
from tests.integration.cni.faults import EVERY, Fault, Faults
from tests.integration.cni.lab import Lab
from tests.support import cgroupdirs
from tests.support.containerd import PrivateContainerd
from tests.support.mesos.cluster import node_cgroup

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

CYCLES, AT_A_TIME = 200, 20
TIME_LIMIT_S = 2.0
"""For one run of a plugin. A sound one that takes longer on a busy machine is one fault more."""
HELD_S = 0.3
TRIES = 20
OWNER = MesosContainerId("6f1c2a6e-7bb8-4e0c-9a49-1f0a2b3c4d5e")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path)
    made.pins = tmp_path / "run/netns" / OWNER
    return made


@pytest.fixture
def faults(lab: Lab) -> Faults:
    return Faults(lab.directory / "shims")


@pytest.fixture
async def node(lab: Lab, faults: Faults, hosts: HostsDir) -> AsyncIterator[Node]:
    config = Config(cni=CniSection(default_network="podnet"), node=NodeSection(run_dir=str(lab.directory / "run")))
    tree = Tree(Hierarchies.discover(), f"{node_cgroup()}-cycles")
    for pod_class in PodClass:
        tree.subtree(pod_class).ensure()
    (lab.directory / "sandbox").mkdir()
    with PrivateContainerd() as containerd:
        async with (
            await Containerd.connect(containerd.address, "cycles") as client,
            Outputs(lab.directory / "streams", max_bytes=1 << 20, files=1) as outputs,
        ):
            yield Node(
                config=config,
                owner=OWNER,
                claim=Claim(),
                mesos_sandbox=lab.directory / "sandbox",
                network=OwnNetwork("127.0.0.1", "podnet"),
                containerd=client,
                images=Images(client, config),
                cni=lab.runtime(faults.plugins, timeout_s=TIME_LIMIT_S),
                networks=NetworkWatch(),
                tree=tree,
                classes=Classes(tree),
                names=Names(hosts, OWNER, AgentId("a-S0"), Zones()),
                outputs=outputs,
                read_agent_flags=lambda: agent_flags.read("127.0.0.1:1"),  # nothing of this test asks it
                shims=Shims(tree.hierarchies, f"{tree.root_path}/shims/{OWNER}"),
                victims_boost=CpuBoost(tree.subtree(PodClass.REVOCABLE), tree.root),
                shims_boost=CpuBoost(tree.subtree(PodClass.REVOCABLE), tree.root),
                launching={pod_class: asyncio.Semaphore(AT_A_TIME) for pod_class in PodClass},
            )
    lab.close()
    assert cgroupdirs.sweep(tree.root_path) == []


def spec(number: int) -> PodSpec:
    return PodSpec(
        task_ids=(TaskId(f"task-{number}"),),
        name=f"web-{number}",
        namespace="default",
        uid=str(number),
        pod_class=(PodClass.REGULAR, PodClass.REVOCABLE)[number % 2],
        role=Role("*"),
        containers=(),
        resources=Resources(cpus=0.1, mem_bytes=32 << 20),
        host_ports=(PortMapping(host_port=20000 + number, container_port=80),),
        hostname=f"web-{number}",
    )


class Cycles:
    def __init__(self, node: Node, faults: Faults) -> None:
        self.addresses: set[str] = set()
        self.attached = self.most = self.tries = 0
        self._node = node
        self._faults = faults

    async def run(self) -> None:
        planned = itertools.cycle([None, *EVERY])
        work = iter([(number, next(planned)) for number in range(CYCLES)])

        async def one_after_the_other() -> None:
            for number, fault in work:
                await self._cycle(number, fault)

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_A_TIME)))

    async def _cycle(self, number: int, fault: Fault | None) -> None:
        pod = PodId(f"pod-{number:012x}")
        sandbox = Sandbox(self._node, pod, spec(number))
        if fault is not None:
            self._faults.plant(fault, pod)
        try:
            await sandbox.prepare()
            await sandbox.connect()
            await self._hold(sandbox)
        except NetworkFailure as failure:
            if not (fault is not None and fault.command == "ADD") and "did not end within" not in str(failure):
                raise
            assert not sandbox.ips
        self.addresses.difference_update(sandbox.ips)
        await self._remove(sandbox)
        assert fault is None or self._faults.happened(fault, pod), f"{fault} of {pod} was not met"

    async def _hold(self, sandbox: Sandbox) -> None:
        (address,) = sandbox.ips
        assert address not in self.addresses, f"{address} was given out twice"
        self.addresses.add(address)
        self.attached += 1
        self.most = max(self.most, len(self.addresses))
        await asyncio.sleep(HELD_S)

    async def _remove(self, sandbox: Sandbox) -> None:
        """As the executor does it: what is left is tried again."""
        for _ in range(TRIES):
            self.tries += 1
            left = [*await sandbox.release_network(), *await sandbox.release_cgroup(), *await sandbox.remove_files()]
            if not left:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"could not be removed: {left}")


async def test_two_hundred_cycles_with_faults_leave_nothing(
    lab: Lab, node: Node, faults: Faults, hosts: HostsDir
) -> None:
    cycles = Cycles(node, faults)
    began_s = time.monotonic()
    await cycles.run()
    took_s = time.monotonic() - began_s
    print(f"{took_s:.1f} s: {cycles.attached} attached, at most {cycles.most} at once; {cycles.tries} removals")
    assert cycles.attached >= CYCLES // 3 and cycles.most >= AT_A_TIME // 4
    assert cycles.tries >= CYCLES + CYCLES // 3, "a DEL that fails is seen, and repeated"
    assert lab.clean(), lab.retries()
    assert hosts.files() == []
    pods = [path for path in cgroupdirs.below(node.tree.root_path) if "pod-" in path.name]
    assert pods == []
