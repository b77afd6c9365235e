"""The classes' limits on the machine's own kernel: they follow the pods, and taking memory back holds nobody up."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies, Mode, Tree
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId, Role, TaskId
from executor.pod.resources import classes
from executor.pod.resources.classes import Classes
from executor.spec.model import PodSpec
from tests.support import cgroupdirs
from tests.support.mesos.cluster import node_cgroup

pytestmark = pytest.mark.root

MIB = 1 << 20
CACHE_BYTES = 600 * MIB
WRITE = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for _ in range({}):
    os.write(file, bytes(1 << 20))
os.fsync(file)
"""
SMALL, LARGE, THIRD = PodId("pod-000000000001"), PodId("pod-000000000002"), PodId("pod-000000000003")


@pytest.fixture
def tree() -> Iterator[Tree]:
    hierarchies = Hierarchies.discover()
    home = hierarchies.home("memory")
    if home is None or home[1] is Mode.V2:
        pytest.skip("needs the memory controller of v1, which refuses a limit that it cannot keep")
    root = f"{node_cgroup()}-classes"
    yield Tree(hierarchies, root)
    assert cgroupdirs.sweep(root) == []


def spec(mib: int) -> PodSpec:
    return PodSpec(
        task_ids=(TaskId("t"),),
        name="pod",
        namespace="default",
        uid="",
        pod_class=PodClass.REVOCABLE,
        role=Role("*"),
        containers=(),
        resources=Resources(cpus=0.1, mem_bytes=mib * MIB),
    )


def run_in(group: Cgroup, *command: str) -> None:
    """A process of the group's, to its end."""
    subprocess.run(command, check=True, preexec_fn=lambda: group.attach(os.getpid()))


@contextmanager
def in_memory() -> Iterator[Path]:
    path = Path(f"/dev/shm/mpe-test-{os.getpid()}")
    try:
        yield path
    finally:
        path.unlink()


@asynccontextmanager
async def ticking() -> AsyncIterator[list[int]]:
    """How often the event loop has gone round meanwhile, at most once a millisecond."""
    ticks = [0]

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.001)
            ticks[0] += 1

    task = asyncio.create_task(tick())
    await asyncio.sleep(0.01)
    ticks[0] = 0
    yield ticks
    task.cancel()


async def test_page_cache_that_a_pod_left_is_taken_back_while_the_others_go_on(tree: Tree, tmp_path: Path) -> None:
    held = Classes(tree)
    tree.subtree(PodClass.REVOCABLE).ensure()
    group = tree.subtree(PodClass.REVOCABLE)
    await held.admit(SMALL, spec(64))
    await held.admit(LARGE, spec(1024))
    assert group.stat().memory_max_bytes == 1088 * MIB
    code = WRITE.format(CACHE_BYTES // MIB)
    run_in(tree.pod(PodClass.REVOCABLE, "*", LARGE), sys.executable, "-I", "-c", code, str(tmp_path / "file"))
    assert (group.memory_bytes() or 0) > CACHE_BYTES * 0.9, "the kernel keeps what was written"
    begin = time.monotonic()
    async with ticking() as ticks:
        release = asyncio.create_task(held.release(LARGE))
        await asyncio.sleep(0)
        late = asyncio.create_task(held.admit(THIRD, spec(32)))
        await asyncio.gather(release, late)
    took_ms = (time.monotonic() - begin) * 1e3
    print(f"\n{CACHE_BYTES // MIB} MiB taken back in {took_ms:.0f} ms: the event loop went round {ticks[0]} times")
    assert ticks[0] >= 2 * CACHE_BYTES // classes.PIECE_BYTES
    assert group.stat().memory_max_bytes == 96 * MIB, "of the pods that are there now"
    assert (group.memory_bytes() or 0) <= 96 * MIB
    for pod in (SMALL, THIRD):
        await held.release(pod)
    assert group.stat().memory_max_bytes is None


async def test_memory_that_cannot_be_taken_back_leaves_the_limit_and_harms_nobody(tree: Tree) -> None:
    """A file in memory outlives its pod: a limit below it can never be kept."""
    held = Classes(tree)
    group = tree.subtree(PodClass.REVOCABLE)
    group.ensure()
    await held.admit(SMALL, spec(64))
    await held.admit(LARGE, spec(256))
    with in_memory() as path:
        code = WRITE.format(128)
        run_in(tree.pod(PodClass.REVOCABLE, "*", LARGE), sys.executable, "-I", "-c", code, str(path))
        await held.release(LARGE)
        assert not tree.pod(PodClass.REVOCABLE, "*", LARGE).exists(), "it is gone all the same"
        assert (group.stat().memory_max_bytes or 0) >= 128 * MIB
        await held.admit(THIRD, spec(8))  # what is held must not keep others from coming
        await held.release(SMALL)
        await held.release(THIRD)
        assert group.stat().memory_max_bytes is None, "nobody is there to be limited"
        await held.admit(SMALL, spec(64))
        assert group.stat().memory_max_bytes is None, "there is no way down to it"
    await held.admit(LARGE, spec(16))
    await held.release(LARGE)
    assert group.stat().memory_max_bytes == 64 * MIB, "tried again"
