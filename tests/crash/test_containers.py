"""The release of containers while containerd is away, or a shim does not answer: what is not gone is a leak, and its
record stays as the handle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Collection
from pathlib import Path

import pytest

from executor.concurrency import patiently
from executor.containerd import Containerd
from executor.containerd.types import TaskStatus
from executor.errors import ContainerdFailure, NotFound
from executor.names import ContainerId
from executor.node import shim_processes
from executor.node.shim_processes import Shim
from executor.pod.container import creation
from executor.pod.release.containerd_records import Patience, Release, Subject
from executor.pod.release.leaks import Leak
from executor.pod.release.node_traces import traces
from tests.crash.starts import by_crun, leave_waiting, let_go
from tests.integration.containerd.launching import Launcher, alive, eventually, wait_dead
from tests.support.containerd import PrivateContainerd
from tests.support.node.record import start_ticks

pytestmark = pytest.mark.root

QUICK = Patience(restart_s=1.5, call_s=0.5, shim_s=1.0, end_s=5.0, pause_s=0.05)
NAMES = ("first", "second")


class Pod:
    """Two containers that share a shim."""

    def __init__(self, client: Containerd, node: PrivateContainerd) -> None:
        self.client, self._node = client, node
        self.shims: list[Shim] = []
        self.pids: list[int] = []

    async def start(self, launcher: Launcher) -> None:
        self.pids = [await launcher.run(name, "sleep 1000", shim_group="pod") for name in NAMES]
        shim = shim_processes.of_process(self.pids[0], self.client.namespace)
        assert shim is not None and [shim.pid] == self._node.shims()
        assert shim_processes.of_containers(self.client.namespace, NAMES) == [shim]
        self.shims = [shim]

    async def end(self) -> None:
        """As by the kill of its cgroup."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        assert all([await wait_dead(pid) for pid in self.pids])

    def processes(self, name: ContainerId) -> Collection[int]:
        procs = Path(f"/sys/fs/cgroup/unified{self._node.cgroup}/{name}/cgroup.procs")
        return [int(pid) for pid in procs.read_text().split()] if procs.exists() else ()

    async def release(self, patience: Patience = QUICK, names: Collection[str] = NAMES) -> list[Leak]:
        subjects = [Subject(ContainerId(name), (name,)) for name in names]
        release = Release(self.client, subjects, shims=lambda: self.shims, processes=self.processes, patience=patience)
        async with asyncio.timeout(30):
            return await release.run()

    async def left(self) -> list[str]:
        """Everything of it on the node, by containerd's account and by the node's own."""
        found = [f"record {each.id}" for each in await self.client.containers.list()]
        found += [f"snapshot {each.key}" for each in await self.client.snapshots.list() if each.key in NAMES]
        found += [f"{name}: {text}" for name in NAMES if (text := traces(self.client.namespace, name, ()))]
        found += [f"bundle {path}" for path in self._node.directory.glob(f"state/*task/{self.client.namespace}/*")]
        return found + [f"shim {pid}" for pid in self._node.shims()]


@pytest.fixture
async def pod(client: Containerd, node: PrivateContainerd, launcher: Launcher) -> Pod:
    found = Pod(client, node)
    await found.start(launcher)
    return found


async def test_a_release_leaves_nothing(pod: Pod) -> None:
    await pod.end()
    assert await pod.release() == [] and await pod.left() == []
    assert await pod.release() == [], "again"


async def test_a_containerd_that_is_away_for_longer_than_the_patience(pod: Pod, node: PrivateContainerd) -> None:
    """The task could not be deleted, so the record stays, although containerd comes back for that step."""
    await pod.end()
    node.stop()
    back = asyncio.get_running_loop().call_later(QUICK.restart_s + 0.3, node.start)
    try:
        leaks = await pod.release()
    finally:
        back.cancel()
        if not node.running:
            node.start()
    assert {leak.what for leak in leaks} == {"task"}
    records = await patiently(pod.client.containers.list, patience_s=10)
    assert {each.id for each in records} == set(NAMES)
    assert await pod.release() == [] and await pod.left() == []


async def test_a_shim_that_hangs_is_ended_when_nothing_of_its_containers_lives(pod: Pod) -> None:
    await pod.end()
    os.kill(pod.shims[0].pid, signal.SIGSTOP)
    assert await pod.release(Patience(restart_s=10, call_s=0.5, shim_s=1.0)) == []
    assert await pod.left() == []


async def test_a_shim_that_hangs_stays_while_a_process_of_its_containers_lives(pod: Pod) -> None:
    (shim,) = pod.shims
    os.kill(shim.pid, signal.SIGSTOP)
    try:
        assert {leak.what for leak in await pod.release()} == {"task"}
        assert shim.lives() and len(await pod.client.containers.list()) == len(NAMES)
    finally:
        os.kill(shim.pid, signal.SIGCONT)
    assert await pod.release() == [] and await pod.left() == []


async def test_not_found_is_no_proof(pod: Pod) -> None:
    """Without its record containerd does not know the task any more, which is there all the same."""
    await pod.end()
    record = await pod.client.containers.get("second")
    await pod.client.containers.delete("second")
    (leak,) = await pod.release()
    assert leak.what == "task" and leak.where == "second" and "/second/rootfs" in leak.error
    assert [each.id for each in await pod.client.containers.list()] == ["first"], "the other keeps its record too"
    await pod.client.containers.create(
        "second", image=record.image, snapshot_key=record.snapshot_key, spec=record.spec, labels=record.labels
    )
    assert await pod.release() == [] and await pod.left() == []


async def test_a_shim_that_containerd_has_forgotten(pod: Pod) -> None:
    """One that lives on after its last task. The real one ends by itself, so it is stopped before it can."""
    await pod.end()
    for name in NAMES:
        await pod.client.tasks.delete(name)
    with pytest.raises(NotFound):
        await pod.client.tasks.get("first")
    stray = await asyncio.create_subprocess_exec("sleep", "1000")
    pod.shims = [Shim(stray.pid, start_ticks(stray.pid) or 0, pod.client.namespace, "first")]
    assert await pod.release(Patience(end_s=0.2)) == []
    assert await stray.wait() == -signal.SIGKILL and await pod.left() == []


class MadeAgain:
    """Undoes the container and makes it again under another id, as a pod does."""

    def __init__(self, launcher: Launcher, script: str) -> None:
        self._launcher, self._script = launcher, script
        self.pid = 0
        self.ids = ["one"]

    async def create(self) -> None:
        self.pid = await self._launcher.create(self.ids[-1], self._script)

    async def __call__(self) -> ContainerId:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await patiently(lambda: self._launcher.remove(self.ids[-1]), patience_s=10)
        self.ids.append(f"one-{len(self.ids)}")
        await self.create()
        return ContainerId(self.ids[-1])

    async def is_started(self, client: Containerd) -> bool:
        """Whether it runs once: one that was undone ran for a moment, or not at all."""
        task = await patiently(lambda: client.tasks.get(self.ids[-1]), patience_s=10)
        started = await eventually("started", self._launcher.out(self.ids[-1]))
        return (task.status, task.pid, started) == (TaskStatus.RUNNING, self.pid, "started\n")


START_S = 10.0


@pytest.mark.parametrize("delay_s", [-1.0, 0.0, 0.0015, 0.002, 0.0025, 0.003, 0.004, 0.005, 0.006, 0.01, 0.02])
async def test_a_start_that_is_cut_off(
    launcher: Launcher, client: Containerd, node: PrivateContainerd, delay_s: float
) -> None:
    """Before, while and after containerd hands it on. It is repeated until the task runs, and runs once. Some 2 to 5 ms
    after it was asked for, containerd takes runc with it in the middle of its start.
    """
    again = MadeAgain(launcher, "echo started; exec sleep 1000")
    await again.create()
    if delay_s < 0:
        node.kill()
    starting = asyncio.create_task(creation.started(client.tasks, ContainerId("one"), again, limit_s=START_S))
    await asyncio.sleep(max(delay_s, 0.0))
    if delay_s >= 0:
        node.kill()
    node.start()
    await starting
    assert await again.is_started(client)


async def end_init(again: MadeAgain, launcher: Launcher) -> None:
    """End the init of the last container, which was not started. One that writes before the fifo is closed goes on:
    then another container is made.
    """
    while alive(again.pid):
        let_go(again.ids[-1], read=False)
        await asyncio.sleep(0.01)  # it may not wait yet
        if launcher.out(again.ids[-1]).read_text():
            await again()


@pytest.mark.parametrize("runs", [False, True])
async def test_a_container_that_nothing_can_start_is_made_again(
    launcher: Launcher, client: Containerd, node: PrivateContainerd, runs: bool
) -> None:
    """Its init has ended, that of crun waits without end; or its program runs, and a second start waits without end."""
    if by_crun() and runs:
        pytest.skip("crun removes what init waits by before it lets init go on")
    again = MadeAgain(launcher, "echo started; exec sleep 1000")
    await again.create()
    if runs:
        let_go("one", read=True)
        await eventually("started", launcher.out("one"))
    elif by_crun():
        leave_waiting("one")
    else:
        await end_init(again, launcher)
    *_, last = again.ids
    node.kill()
    starting = asyncio.create_task(creation.started(client.tasks, ContainerId(last), again, limit_s=START_S))
    await asyncio.sleep(0.1)
    node.start()
    await starting
    assert again.ids[-2] == last and await again.is_started(client)


@pytest.mark.parametrize("code", [0, 3])
async def test_a_program_that_ended_while_containerd_was_away_is_not_run_again(
    launcher: Launcher, client: Containerd, node: PrivateContainerd, code: int
) -> None:
    again = MadeAgain(launcher, f"echo started; exit {code}")
    await again.create()
    starting = asyncio.create_task(creation.started(client.tasks, ContainerId("one"), again, limit_s=START_S))
    assert await eventually("started", launcher.out("one")) == "started\n"
    node.kill()
    node.start()
    await starting
    assert again.ids == ["one"] and launcher.out("one").read_text() == "started\n"


async def test_a_start_that_is_refused_is_not_repeated(launcher: Launcher, client: Containerd) -> None:
    again = MadeAgain(launcher, "sleep 1000")
    await again.create()
    await client.tasks.start("one")
    with pytest.raises(ContainerdFailure):
        await creation.started(client.tasks, ContainerId("one"), again, limit_s=START_S)
    assert again.ids == ["one"]
