"""CPU for pods that are launched: their weight and those of their shims and of the executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from cgroups import Hierarchies, Limits, Tree, qos
from cgroups.cpu import WEIGHT_MIN
from executor.images.model import NODE_ROOT
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId
from executor.pod.resources.classes import Classes
from executor.pod.runner import PodRunner
from executor.spec.model import PodSpec
from executor.spec.security_model import Security
from tests.support.empty_containerd import empty_containerd
from tests.unit.pod.lives import spec
from tests.unit.pod.nodes import opened

LONG_S = 10.0
POD, OTHER = PodId("pod-000000000001"), PodId("pod-000000000002")
OWN_WEIGHT = 50


def described(pod_class: PodClass) -> PodSpec:
    return replace(spec(), pod_class=pod_class, resources=Resources(cpus=OWN_WEIGHT / 100, mem_bytes=1 << 20))


class Group:
    """The cgroup of one pod, as a directory with the file of its weight on v2."""

    def __init__(self, root: Path, pod: PodId, pod_class: PodClass = PodClass.REVOCABLE) -> None:
        self.pod, self.spec = pod, described(pod_class)
        self.tree = Tree(Hierarchies(unified=root), "/own")
        self.group = self.tree.pod(pod_class, self.spec.role, pod)
        directory = root / self.group.path.lstrip("/")
        directory.mkdir(parents=True)
        self._file = directory / "cpu.weight"
        self._file.write_text("100")

    @property
    def weight(self) -> int:
        return int(self._file.read_text())


async def test_a_revocable_pod_weighs_much_until_its_last_start_has_ended(tmp_path: Path) -> None:
    one = Group(tmp_path, POD)
    classes = Classes(one.tree)
    with classes.starting(POD, one.spec):
        await classes.admit(POD, one.spec)
        assert one.weight == qos.STARTING_WEIGHT
        with classes.starting(POD, one.spec):
            assert one.weight == qos.STARTING_WEIGHT
        assert one.weight == qos.STARTING_WEIGHT, "one of two starts is under way"
    assert one.weight == OWN_WEIGHT
    with classes.starting(POD, one.spec):
        assert one.weight == qos.STARTING_WEIGHT, "a restart"
    assert one.weight == OWN_WEIGHT


async def test_a_start_that_fails_leaves_no_weight(tmp_path: Path) -> None:
    one = Group(tmp_path, POD)
    classes = Classes(one.tree)

    async def fail(pod: PodId, *, admitted: bool) -> None:
        with classes.starting(pod, one.spec):
            if admitted:
                await classes.admit(pod, one.spec)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        await fail(POD, admitted=True)
    assert one.weight == OWN_WEIGHT
    with pytest.raises(TimeoutError):
        await fail(OTHER, admitted=False)  # it has no group
    assert one.weight == OWN_WEIGHT


async def test_no_other_pod_weighs_more(tmp_path: Path) -> None:
    """No regular one ever, and no revocable one that has been started."""
    started, starting, regular = Group(tmp_path, POD), Group(tmp_path, OTHER), Group(tmp_path, POD, PodClass.REGULAR)
    classes = Classes(started.tree)
    await classes.admit(POD, started.spec)
    with classes.starting(OTHER, starting.spec):
        await classes.admit(OTHER, starting.spec)
        assert (started.weight, starting.weight) == (OWN_WEIGHT, qos.STARTING_WEIGHT)
    with classes.starting(POD, regular.spec):
        await classes.admit(POD, regular.spec)
        assert regular.weight == OWN_WEIGHT


async def test_a_victim_keeps_the_least_weight_after_its_start(tmp_path: Path) -> None:
    one = Group(tmp_path, POD)
    classes = Classes(one.tree)
    with classes.starting(POD, one.spec):
        await classes.admit(POD, one.spec)
        one.group.apply(Limits(cpu_weight=WEIGHT_MIN))  # as a revocation does
    assert one.weight == WEIGHT_MIN


def cpu_file(root: Path, path: str, name: str, text: str) -> Path:
    """`name` of the group at `path`, which has it as a kernel has."""
    file = root / "cgroup" / path.lstrip("/") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


async def reads(read: Callable[[], str], text: str, limit_s: float) -> bool:
    """Whether this text is read in time."""
    end_s = asyncio.get_running_loop().time() + limit_s
    while read() != text:
        if asyncio.get_running_loop().time() > end_s:
            return False
        await asyncio.sleep(0.01)
    return True


@pytest.mark.parametrize(("pod_class", "boosted"), [(PodClass.REVOCABLE, True), (PodClass.REGULAR, False)])
async def test_a_launch_gets_cpu_for_the_shims_of_revocable_pods_and_none_for_the_executor(
    tmp_path: Path, pod_class: PodClass, boosted: bool
) -> None:
    (tmp_path / "sandbox").mkdir()
    one = replace(spec().containers[0], image=NODE_ROOT, security=Security(run_as_user=0, run_as_group=0))
    pod = replace(spec(), pod_class=pod_class, containers=(one,), host_network=True, hostname="web")
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(empty_containerd(tmp_path / "c.sock"))
        node = await opened(tmp_path, stack)
        await stack.enter_async_context(node.outputs)
        file = cpu_file(tmp_path, node.shims.path, "cpu.idle", "1")
        cpu_file(tmp_path, node.shims.path, "cpu.weight", "1")
        above = cpu_file(tmp_path, str(Path(node.shims.path).parent), "cpu.weight", "1")
        own = cpu_file(tmp_path, node.tree.executor.path, "cpu.weight", "25")
        calls.held.clear()
        life = asyncio.create_task(PodRunner(node, POD, pod, lambda _runner, _report: None).run())
        assert await reads(file.read_text, "0", LONG_S if boosted else 0.3) is boosted
        assert above.read_text() == ("50" if boosted else "1")
        assert own.read_text() == "25", "regular pods would wait for it"
        assert await reads(lambda: str("Leases/Create" in calls.seen), "True", LONG_S)
        calls.failing["Snapshots/Prepare"] = grpc.StatusCode.FAILED_PRECONDITION
        calls.held.set()
        assert await reads(file.read_text, "1", LONG_S), "the launch failed"
        async with asyncio.timeout(LONG_S):
            await life
