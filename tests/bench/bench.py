"""The benchmarks: the executor's own parts on a real node beside the bare calls, in turns in the same run.

Everything between LAUNCH and TASK_RUNNING is measured in this process with the executor's real composer; what Mesos
adds (a few milliseconds for an update) is not. Medians of several turns are quoted, because the machine is shared.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
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
from executor.pod.node import Node
from executor.pod.runner import PodRunner
from executor.pod.table import Pods
from executor.process.owned import open_node
from executor.revocation.revoker import Listeners, Revoker
from executor.spec.launch import parse_launch
from tests.bench.documents import minimal
from tests.bench.figures import Figure, Report, Target
from tests.support import cgroupdirs
from tests.support.registry import Registry
from tests.support.rig import IMAGE, Rig

AT_ONCE, LIMIT_S = 4, 120.0
BARE = "bare"
"""The containerd namespace of the bare calls."""
FULL_ONLY = "measured without --quick only"
ONE = ("sleep", "100000")
FIVE = ("sh", "-c", "for n in 1 2 3 4; do sleep 100000 & done; exec sleep 100000")
"""Five processes in each pod."""


@dataclass(frozen=True)
class Plan:
    """What a run measures."""

    quick: bool
    parts: Collection[str]
    quiet_turns: int
    """Revocations of each kind of victims beside regular pods that serve requests."""


class Harness:
    """The executor without Mesos: launches come from here, reports end here."""

    def __init__(
        self, rig: Rig, node: Node, pods: Pods, revoker: Revoker, chain_id: str, reported: asyncio.Event
    ) -> None:
        self.rig = rig
        self.node = node
        self.pods = pods
        self.revoker = revoker
        self._lent = node.tree.subtree(PodClass.REVOCABLE)
        self.chain_id = chain_id
        self.reported = reported
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
        async with asyncio.timeout(LIMIT_S + count):  # a look every millisecond takes 2 % of what a launch takes
            while not all(runner.pod.state is State.RUNNING for runner in runners):
                self.reported.clear()
                await self.reported.wait()
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
        await until(lambda: all(runner.pod.state is State.ENDED for runner in runners), LIMIT_S + len(runners))


async def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the pods did not get there in {limit_s:g} s")
        await asyncio.sleep(0.001)


async def measure(rig: Rig, plan: Plan, tell: Callable[[str], None]) -> Report:
    """The figures of the executor's own parts: those of the plan that are measured here."""
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
        registry = None
        if "pulls" in plan.parts and shutil.which("docker-registry"):
            registry = stack.enter_context(Registry(rig.directory / "registry", tls=False))
        insecure = {"IMAGES_PLAIN_HTTP": registry.host} if registry else {}
        node = await open_node(load(rig.write_config(**insecure).read_text(), {}), environment, stack)
        image = await ImageStore(node.containerd).lookup(IMAGE)
        reported = asyncio.Event()
        pods = Pods(node, lambda runner, report: reported.set())
        revoker = Revoker(node.config.revocation, node.tree, node.victims_boost, pods, Listeners(lambda receipt: None))
        router = asyncio.create_task(ExitRouter(node.containerd, pods).run())
        await asyncio.sleep(0.2)
        harness = Harness(rig, node, pods, revoker, image.chain_id, reported)
        try:
            return await _all(harness, registry, plan, tell)
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


async def _all(harness: Harness, registry: Registry | None, plan: Plan, tell: Callable[[str], None]) -> Report:
    from tests.bench import beside, launches, pulls, quiet, timeline
    from tests.bench.peers import runtimes

    await _share_image(harness.rig)
    report = Report()
    least = minimal(harness.rig.cgroup, ONE)
    work: dict[str, Callable[[], Awaitable[Report]]] = {
        "launches": partial(launches.measure, harness, launches.QUICK if plan.quick else launches.FULL, tell),
        "crun": lambda: asyncio.to_thread(
            runtimes.measure, harness.rig.directory, least, 3 if plan.quick else 20, tell
        ),
        "revocation": partial(_revoke, harness, 50, 2 if plan.quick else 5, tell),
        "beside": partial(beside.measure, harness, beside.QUICK if plan.quick else beside.FULL, tell),
    }
    if plan.quick:
        report.skip(quiet.TARGETS, FULL_ONLY)
    else:
        work["quiet"] = partial(quiet.measure, harness, plan.quiet_turns, tell)
        if registry is not None:
            work["pulls"] = partial(pulls.measure, harness, registry, 3, tell)
        elif "pulls" in plan.parts:
            report.absent["docker-registry"] = "docker-registry is not installed: packaging/prepare --with integration"
            tell(report.absent["docker-registry"])
        # the witness stays around what it watches, so it comes last
        work["timeline"] = partial(timeline.measure, harness, tell)
    for name, measured in work.items():
        if name in plan.parts:
            try:
                report.add(await measured())
            except Exception as error:  # noqa: BLE001 - what the other parts have found is kept
                report.fail(name, error, tell)
    return report


async def _revoke(harness: Harness, count: int, turns: int, tell: Callable[[str], None]) -> Report:
    from tests.bench import launches

    bare = launches.bare(harness, minimal(harness.rig.cgroup, FIVE))
    regular = await harness.up(3)

    async def ours() -> float:
        await harness.up(count, revocable=True, command=FIVE)
        took_ms = await harness.revoke()
        await until(lambda: len(harness.pods) == len(regular))
        return took_ms

    async def theirs() -> float:
        names = [f"five-{number}" for number in range(count)]
        await asyncio.to_thread(bare.many, names, bare.up, AT_ONCE)
        took_ms = await bare_kill(f"{harness.rig.cgroup}/bare")
        await asyncio.to_thread(bare.many, names, bare.down, AT_ONCE)
        return took_ms

    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for turn in range(turns):
        for name, killed in (("ours", ours), ("theirs", theirs))[:: -1 if turn % 2 else 1]:
            taken[name].append(await killed())
    await harness.down(regular)
    revocation, kill = Figure.of(taken["ours"]), Figure.of(taken["theirs"])
    ratio = revocation.over(kill)
    tell(f"revocation of {count} pods x 5 processes: {revocation} ms, bare cgroup.kill {kill} ms; ratio {ratio}")
    figures = {f"revocation of {count} x 5, ms": revocation, f"bare cgroup.kill of {count} x 5, ms": kill}
    figures[f"revocation of {count} x 5 over cgroup.kill"] = ratio
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
