"""The steps of a revocation, on directories in place of the cgroups: a write to cgroup.kill empties them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies, Tree
from executor.errors import Refused
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId, Role, TaskId
from executor.own_directory import OwnDirectory
from executor.pod.life.events import Stop, StopCause
from executor.pod.resources.cpu_boost import CpuBoost
from executor.revocation import request as requests
from executor.revocation.ladder import Ladder
from executor.revocation.receipt import Outcome, Receipt, State
from executor.spec.model import PodSpec
from tests.unit.pod.lives import spec

STUCK_AFTER_S = 0.3
KILL_FILE = "cgroup.kill"


class Pod:
    """One with a process in its cgroup. `obeys`: it ends when it is asked to; `deathless`: SIGKILL does not end it."""

    def __init__(self, kernel: Kernel, number: int, pod_class: PodClass, *, obeys: bool, deathless: bool) -> None:
        self.id = PodId(f"pod-{number:012x}")
        self.spec: PodSpec = replace(
            spec(), pod_class=pod_class, role=Role("eng"), task_ids=(TaskId(f"t{number}"),), resources=Resources(cpus=2)
        )
        self.cgroup: Cgroup = kernel.tree.pod(pod_class, "eng", self.id)
        self.directory = kernel.make(self.cgroup)
        self.files = OwnDirectory(str(kernel.root), f"files-{number}")
        (kernel.root / f"files-{number}" / "notice").mkdir(parents=True)
        self.dead = asyncio.Event()
        self.stops: list[Stop] = []
        self.kills: list[Stop] = []
        self.age_s = 10.0
        self.launching = self.is_over = False
        self._obeys, self._deathless = obeys, deathless

    @property
    def is_stopping(self) -> bool:
        return bool(self.stops or self.kills)

    @property
    def ended_by_itself(self) -> bool:
        return self._obeys

    @property
    def ended_pids(self) -> frozenset[int]:
        return frozenset()

    def first_pids(self) -> list[int]:
        return []

    def started_pids(self) -> list[int]:
        return []

    def keeper_pid(self) -> int | None:
        return None

    def living_first_pids(self) -> list[int]:
        return []

    def is_in_last_moments(self) -> bool:
        return False

    def measure(self) -> int:
        return 1 << 20

    def stop(self, stop: Stop) -> None:
        self.stops.append(stop)
        if self._obeys:
            self.end()

    def kill(self, stop: Stop, killed: asyncio.Event | None) -> None:
        self.kills.append(stop)

    async def kill_by_containerd(self) -> None:
        self.end()

    def killed(self) -> None:
        if not self._deathless:
            self.end()

    def end(self) -> None:
        (self.directory / "cgroup.events").write_text("populated 0\n")
        self.dead.set()


class Pods(list[Pod]):
    ended: Sequence[Pod] = ()
    coming: Sequence[TaskId] = ()


class Kernel:
    """The cgroups below `root`; `run` looks for what was killed."""

    def __init__(self, root: Path) -> None:
        self.root, self.tree = root, Tree(Hierarchies(unified=root), "/mesos")
        self.pods = Pods()
        self.kills: list[str] = []
        for name in ("regular", "revocable"):
            self.make(self.tree.subtree(name))

    def make(self, group: Cgroup) -> Path:
        directory = self.root / group.path.lstrip("/")
        for path in (directory, *directory.parents):
            if path == self.root:
                break
            path.mkdir(parents=True, exist_ok=True)
            for name, text in (("cgroup.events", "populated 1\n"), (KILL_FILE, ""), ("cgroup.procs", "")):
                if not (path / name).exists():
                    (path / name).write_text(text)
            (path / "cpu.weight").write_text("100\n")
            (path / "memory.current").write_text("0\n")
        return directory

    def pod(self, pod_class: PodClass = PodClass.REVOCABLE, *, obeys: bool = False, deathless: bool = False) -> Pod:
        self.pods.append(Pod(self, len(self.pods), pod_class, obeys=obeys, deathless=deathless))
        return self.pods[-1]

    def ladder(self, **request: object) -> Ladder:
        document = {"id": "r-1", "select": {"all": True}, "grace": 0, "reason": "spark", **request}
        parsed = requests.parse(document, default_grace_s=0.0, fresh_id="r-1")
        boost = CpuBoost(self.tree.subtree(PodClass.REVOCABLE), self.tree.root)
        return Ladder(parsed, self.pods, self.tree, boost, stuck_after_s=STUCK_AFTER_S)

    async def run(self) -> None:
        while True:
            for file in self.root.rglob(KILL_FILE):
                if file.read_text():
                    file.write_text("")
                    self._kill(file.parent)
            await asyncio.sleep(0.002)

    def _kill(self, directory: Path) -> None:
        self.kills.append(f"/{directory.relative_to(self.root)}")
        for pod in self.pods:
            if pod.directory.is_relative_to(directory):
                pod.killed()
        if all(pod.dead.is_set() for pod in self.pods if pod.directory.is_relative_to(directory)):
            (directory / "cgroup.events").write_text("populated 0\n")


@pytest.fixture
async def kernel(tmp_path: Path) -> AsyncIterator[Kernel]:
    found = Kernel(tmp_path)
    task = asyncio.create_task(found.run())
    yield found
    task.cancel()


async def descend(ladder: Ladder, late: list[Receipt] | None = None) -> Receipt:
    ladder.prove()
    async with asyncio.timeout(10):
        return await ladder.descend((late if late is not None else []).append)


def steps(receipt: Receipt) -> Iterator[str]:
    return (step.step for step in receipt.steps)


async def test_all_pods_end_by_one_write_and_no_regular_one_is_touched(kernel: Kernel) -> None:
    victims, regular = [kernel.pod() for _ in range(3)], kernel.pod(PodClass.REGULAR)
    receipt = await descend(kernel.ladder())
    assert kernel.kills == [kernel.tree.subtree("revocable").path]
    assert receipt.state is State.DONE and list(steps(receipt)) == ["proof", "kill", "dead"]
    assert {each.outcome for each in receipt.victims} == {Outcome.KILLED}
    assert receipt.freed_cpus == 6.0 and receipt.left is not None and receipt.left.pods == 0
    assert {stop.cause for pod in victims for stop in pod.kills} == {StopCause.REVOKED}
    assert not regular.is_stopping and not regular.dead.is_set()


async def test_a_pod_that_came_meanwhile_is_no_victim(kernel: Kernel) -> None:
    """The subtree has one that was not chosen, so that the victims are killed one by one."""
    victims = [kernel.pod() for _ in range(2)]
    ladder = kernel.ladder()
    ladder.prove()
    late = kernel.pod()
    receipt = await ladder.descend(lambda _: None)
    assert sorted(kernel.kills) == [pod.cgroup.path for pod in victims]
    assert receipt.state is State.DONE and not late.is_stopping and not late.dead.is_set()
    assert receipt.left is not None and receipt.left.pods == 1


async def test_a_role_is_one_subtree_and_a_task_is_one_pod(kernel: Kernel) -> None:
    first, _ = kernel.pod(), kernel.pod()
    await descend(kernel.ladder(select={"tasks": ["t0"]}))
    assert kernel.kills == [first.cgroup.path]
    await descend(kernel.ladder(id="r-2", select={"roles": ["eng"]}))
    assert kernel.kills[1:] == [kernel.tree.role("revocable", "eng").path]


async def test_within_its_grace_a_pod_ends_by_itself_and_nothing_is_killed(kernel: Kernel) -> None:
    pod = kernel.pod(obeys=True)
    receipt = await descend(kernel.ladder(grace="5s"))
    assert list(steps(receipt)) == ["proof", "notice", "cpu", "terminate", "dead"] and not kernel.kills
    assert [stop.grace_s for stop in pod.stops] == [5.0]
    (victim,) = receipt.victims
    assert victim.notified and victim.outcome is Outcome.EXITED
    notice = json.loads((kernel.root / "files-0/notice/notice.json").read_text())
    assert (notice["id"], notice["reason"], notice["grace_s"]) == ("r-1", "spark", 5.0)
    assert (pod.directory / "cpu.weight").read_text() == "1"


async def test_what_lives_after_its_grace_is_killed(kernel: Kernel) -> None:
    kernel.pod(obeys=True)
    stays = kernel.pod()
    begin_s = time.monotonic()
    receipt = await descend(kernel.ladder(grace="0.2s"))
    assert time.monotonic() - begin_s >= 0.2
    assert receipt.state is State.DONE and kernel.kills
    assert [each.outcome for each in receipt.victims] == [Outcome.EXITED, Outcome.KILLED]
    assert stays.dead.is_set() and [stop.grace_s for stop in stays.kills] == [0.2], "it is told that its grace is over"


async def test_a_victim_that_does_not_die_delays_no_other_ones_report(kernel: Kernel) -> None:
    kernel.pod()
    stuck = kernel.pod(deathless=True)
    late: list[Receipt] = []
    ladder = kernel.ladder()
    receipt = await descend(ladder, late)
    assert [each.outcome for each in late[0].victims] == [Outcome.KILLED, Outcome.DYING]
    assert receipt.state is State.STUCK and receipt.victims[1].outcome is Outcome.STUCK
    assert await ladder.kill_by_containerd(), "the last step"
    await ladder.all_ended()
    assert stuck.dead.is_set() and ladder.receipt().state is State.DONE


async def test_a_dry_run_touches_nothing(kernel: Kernel) -> None:
    pod = kernel.pod()
    receipt = await descend(kernel.ladder(dry_run=True))
    assert receipt.state is State.DRY_RUN and {each.outcome for each in receipt.victims} == {Outcome.WOULD_END}
    assert not kernel.kills and not pod.is_stopping and not pod.dead.is_set()


async def test_a_regular_pod_in_the_revocable_subtree_refuses_the_request(kernel: Kernel) -> None:
    victim, regular = kernel.pod(), kernel.pod(PodClass.REGULAR)
    kernel.make(kernel.tree.pod(PodClass.REVOCABLE, "eng", regular.id))
    with pytest.raises(Refused, match="lies in the revocable subtree"):
        kernel.ladder().prove()
    assert not kernel.kills and not victim.is_stopping
