"""The benchmarks: the executor's own parts on a real node beside the bare calls, in turns in the same run.

Everything between LAUNCH and TASK_RUNNING is measured in this process with the executor's real composer; what Mesos
adds (a few milliseconds for an update) is not. Medians of several turns are quoted, because the machine is shared.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

from cgroups import Cgroup, Hierarchies, Membership
from executor import log as logs
from executor.config import LogSection, load
from executor.images.store import ImageStore
from executor.mesos.environment import Environment
from executor.names import AgentId, ExecutorId, FrameworkId, MesosContainerId, PodClass
from executor.pod.exits.router import ExitRouter
from executor.pod.life.events import Stop, StopCause
from executor.pod.life.model import State
from executor.pod.runner import PodRunner
from executor.pod.table import Pods
from executor.process.owned import open_node
from executor.revocation.revoker import Listeners, Revoker
from executor.spec.launch import parse_launch
from tests.bench.bare import Bare
from tests.bench.documents import minimal
from tests.bench.figures import Figure, Report, Target
from tests.support import cgroupdirs
from tests.support.rig import IMAGE, Rig

AT_ONCE = 4
BARE = "bare"
"""The containerd namespace of the bare calls."""
FULL_ONLY = "measured without --quick only"
FIVE = ("sh", "-c", "for n in 1 2 3 4; do sleep 100000 & done; exec sleep 100000")
"""Five processes in each pod."""


class Harness:
    """The executor without Mesos: launches come from here, reports end here."""

    def __init__(self, rig: Rig, pods: Pods, revoker: Revoker, lent: Cgroup, chain_id: str) -> None:
        self.rig = rig
        self.pods = pods
        self.revoker = revoker
        self._lent = lent
        self.chain_id = chain_id
        self._count = 0

    async def up(
        self,
        count: int,
        *,
        revocable: bool = False,
        command: tuple[str, ...] = ("sleep", "100000"),
        image: str = IMAGE,
    ) -> list[PodRunner]:
        """Launch, and wait until all run."""
        runners = []
        for _ in range(count):
            self._count += 1
            container = {"image": image}
            task = self.rig.pod(f"pod-{self._count}", revocable=revocable, command=command, container=container)
            resources = [{**resource, "allocation_info": {"role": "*"}} for resource in task["resources"]]
            runners.append(self.pods.launch(parse_launch([{**task, "resources": resources}], group=False)))
        await until(lambda: all(runner.pod.state is State.RUNNING for runner in runners))
        return runners

    async def revoke(self) -> float:
        """Every revocable pod; milliseconds until all were dead."""
        receipt = await self.revoker.take({"select": {"all": True}}).task
        if receipt.state != "done" or receipt.regular is None or not receipt.regular.unchanged:
            raise RuntimeError(f"the revocation went wrong: {receipt}")
        return receipt.time_to_free_ms

    def lent_cpu_s(self) -> float:
        """What the revocable pods have used so far."""
        return (self._lent.cpu_usage_usec() or 0) / 1e6

    async def down(self, runners: list[PodRunner]) -> None:
        for runner in runners:
            runner.post(Stop(StopCause.KILL, 0.0))
        await until(lambda: all(runner.pod.state is State.ENDED for runner in runners))


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the pods did not get there in two minutes")
        await asyncio.sleep(0.001)


async def measure(rig: Rig, *, quick: bool, tell: Callable[[str], None]) -> Report:
    """Every figure of the executor's own parts."""
    logs.configure(LogSection(level="error", format="json"))
    owner = MesosContainerId("bench")
    environment = Environment(
        framework_id=FrameworkId("bench"),
        executor_id=ExecutorId("bench"),
        agent_id=AgentId("bench"),
        agent_endpoint="127.0.0.1:5051",
        sandbox=rig.directory,
        container_id=owner,
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(_mesos_container(rig, owner))
        node = await open_node(load(rig.write_config().read_text(), {}), environment, stack)
        image = await ImageStore(node.containerd).lookup(IMAGE)
        pods = Pods(node, lambda runner, report: None)
        revoker = Revoker(node.config.revocation, node.tree, node.victims_boost, pods, Listeners(lambda receipt: None))
        router = asyncio.create_task(ExitRouter(node.containerd, pods).run())
        await asyncio.sleep(0.2)
        harness = Harness(rig, pods, revoker, node.tree.subtree(PodClass.REVOCABLE), image.chain_id)
        try:
            return await _all(harness, quick=quick, tell=tell)
        finally:
            router.cancel()


@contextmanager
def _mesos_container(rig: Rig, container: MesosContainerId) -> Iterator[None]:
    """This process in a group as an agent with cgroups makes it, so that weights compete where they do on a node."""
    before = Membership.of(os.getpid())
    group = Cgroup(Hierarchies.discover(), f"{rig.cgroup}-mesos/{container}")
    group.ensure(with_controllers=False)
    group.attach(os.getpid())
    try:
        yield
    finally:
        before.rejoin(group.hierarchies)
        cgroupdirs.sweep(f"{rig.cgroup}-mesos")


async def _all(harness: Harness, *, quick: bool, tell: Callable[[str], None]) -> Report:
    from tests.bench import disturbance, launches

    await _share_image(harness.rig)
    report = Report()
    contenders = await launches.contenders(harness)
    report.add(await launches.measure(contenders, 1, 10 if quick else 20, tell))
    report.add(await launches.measure(contenders, 20, 2 if quick else 5, tell))
    if quick:
        report.skip({"launch_50_vs_bare": launches.TARGETS[50, "bare"]}, FULL_ONLY)
    else:
        report.add(await launches.measure(contenders[:2], 50, 3, tell))
    five = launches.bare(harness, minimal(harness.rig.cgroup, FIVE))
    report.add(await _revoke(harness, five, 50, 2 if quick else 5, tell))
    if quick:
        report.skip(dict.fromkeys(disturbance.TARGETS, disturbance.TARGET), FULL_ONLY)
    else:
        report.add(await disturbance.measure(harness, five, 8, tell))
    return report


async def _revoke(harness: Harness, bare: Bare, count: int, turns: int, tell: Callable[[str], None]) -> Report:
    ours, theirs = list[float](), list[float]()
    regular = await harness.up(3)
    for turn in range(turns):
        await harness.up(count, revocable=True, command=FIVE)
        ours.append(await harness.revoke())
        await until(lambda: len(harness.pods) == len(regular))
        names = [f"five-{turn}-{number}" for number in range(count)]
        await asyncio.to_thread(bare.many, names, bare.up, AT_ONCE)
        theirs.append(await bare_kill(f"{harness.rig.cgroup}/bare"))
        await asyncio.to_thread(bare.many, names, bare.down, AT_ONCE)
    await harness.down(regular)
    revocation, kill = Figure.of(ours), Figure.of(theirs)
    ratio = revocation.over(kill)
    tell(f"revocation of {count} pods x 5 processes: {revocation} ms, bare cgroup.kill {kill} ms; ratio {ratio}")
    figures = {f"revocation of {count} x 5, ms": revocation, f"bare cgroup.kill of {count} x 5, ms": kill}
    return Report({f"revoke_{count}x5_vs_cgroup_kill": Target(ratio, 1.3)}, figures)


async def bare_kill(path: str) -> float:
    """One write to cgroup.kill, and the wait for populated 0."""
    directory = Path("/sys/fs/cgroup/unified") / path.lstrip("/")
    begin = time.perf_counter()
    (directory / "cgroup.kill").write_text("1")
    await Cgroup(Hierarchies.discover(), path).wait_unpopulated(30)
    return (time.perf_counter() - begin) * 1e3


async def _share_image(rig: Rig) -> None:
    """The same layers in the containerd namespace of the bare calls."""
    from executor.containerd import Containerd

    async with await Containerd.connect(rig.containerd.address, BARE) as client:
        await ImageStore(client).import_archive(rig.directory / "image.tar")
        await ImageStore(client).lookup(IMAGE)
