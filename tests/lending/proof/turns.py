"""The run: an idle phase of Spark and a burst, with lending and without, in turns."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.lending.proof.figures import Run, Turn
from tests.lending.proof.spark import Driver, Starts
from tests.lending.proof.usage import Sampler, boot_s
from tests.support.hosts import HERE
from tests.support.lending import BORROWER, BORROWS, OWNER, Lender
from tests.support.load import Load
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, wait_for
from tests.support.spark import pods, submit
from tests.support.spark.site import HostRig, Site, site

RESOURCES: Final = (
    f"cpus({OWNER}):1;mem({OWNER}):1024;cpus({BORROWER}):2;mem({BORROWER}):2048;disk:4096;ports:[31000-32000]"
)
"""The resources of each agent. The owner has all cores of the machine, in two agents."""
IDLE_S: Final = 6.0
PODS, CPUS = 2, 0.5
"""Borrowed pods of an agent."""
TASKS, LOOPS = 8, 3_000_000
REQUEST_S: Final = 0.02
UNIT: Final = (
    "sh",
    "-c",
    ": > /work/$NAME.began; while :; do i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo >> /work/$NAME; done",
)
"""A worker: after each unit of its work it saves a checkpoint, about twice a second on a core of its own."""


class Proof:
    """Everything that lives for the whole run."""

    def __init__(self, lab: Site, stack: ExitStack, directory: Path, tell: Callable[[str], None]) -> None:
        self.lab, self.tell = lab, tell
        self.work = directory / "work"
        self.work.mkdir()
        keys = {"LENDING_MASTERS": lab.master}
        self.lenders = [stack.enter_context(Lender(rig, **keys)) for rig in lab.hosts]
        for lender in self.lenders:
            lender.stop()
        self.batch = stack.enter_context(Scheduler(lab.master, name="batch", roles=(BORROWER,), capabilities=BORROWS))
        self.web = self._serve(directory)
        self.roots = [rig.agent.cgroups_root for rig in lab.hosts]
        plan = {
            "master": f"mesos://{lab.master}",
            "settings": submit.settings(HERE) | _SETTINGS,
            "executors": len(lab.hosts),
            "tasks": TASKS,
            "loops": LOOPS,
        }
        self.driver = stack.enter_context(Driver(plan, directory / "driver.log"))
        self.sampler = stack.enter_context(Sampler(self.roots))

    def _serve(self, directory: Path) -> str:
        """A regular pod on each host; the address of the first one."""
        www = directory / "www"
        www.mkdir()
        (www / "index.html").write_text("here\n")
        for rig in self.lab.hosts:
            name = f"web-{rig.host.name}"
            self.batch.launch([pods.web(rig, name, www)], rig.executor("regular"), agent_id=rig.agent.agent_id)
            self.batch.wait_status(name, "TASK_RUNNING", 60)
        return str(self.lab.hosts[0].pods()[0]["ips"][0])

    def turn(self, number: int, *, lending: bool) -> Turn:
        began_s = boot_s()
        borrowed = self._borrow(number) if lending else {}
        with Load(self.web, pods.PORT, clients=2, interval_s=REQUEST_S) as load, Starts(self.roots) as starts:
            began_load_s = time.monotonic()
            time.sleep(max(0.0, began_s + IDLE_S - boot_s()))
            burst = self.driver.burst()
            ended_load_s = time.monotonic()
            load.stop()
        if load.failures:
            raise AssertionError(f"a regular pod did not answer: {load.failures[:3]}")
        for names in borrowed.values():
            for name in names:
                assert self.batch.wait_status(name, TERMINAL, 20).reason == "REASON_CONTAINER_PREEMPTED"
        assert wait_for(lambda: None if any(map(_is_computing, self.lab.hosts)) else True, 60), "Spark's executors stay"
        command_s = tuple(began for began in starts.began_s if began is not None)
        process_s = tuple(began for began in starts.java_s if began is not None)
        assert len(command_s) == len(process_s) == len(self.lab.hosts), "no executor of Spark was seen"
        asked_s, freed_s = self._returned(burst["began_s"]) if lending else ((), ())
        worked_s, lost_s = self._work(borrowed, freed_s)
        turn = Turn(
            lending=lending,
            began_s=began_s,
            burst_s=burst["began_s"],
            all_s=burst["all_s"],
            done_s=burst["ended_s"],
            ended_s=boot_s(),
            stages_s=tuple(burst["stages_s"]),
            command_s=command_s,
            process_s=process_s,
            asked_s=asked_s,
            freed_s=freed_s,
            worked_s=worked_s,
            lost_s=lost_s,
            latencies_ms=tuple(load.latencies_ms(began_load_s, ended_load_s)),
        )
        before = f", cpus back {min(turn.margins_ms):.0f} ms before its process" if lending else ""
        self.tell(
            f"turn {number:2} {'lending' if lending else 'without'}: stages {sum(turn.stages_s):.2f} s, "
            f"burst {turn.done_s - turn.burst_s:.2f} s{before}"
        )
        return turn

    def _borrow(self, number: int) -> dict[int, list[str]]:
        """The pods of each agent."""
        found = {}
        for lender in self.lenders:
            lender.start()
        for index, (rig, lender) in enumerate(zip(self.lab.hosts, self.lenders, strict=True)):
            lender.wait_offer(1.0)
            names = [f"worker-{number}-{index}-{each}" for each in range(PODS)]
            workers = [self._worker(rig, name) for name in names]
            self.batch.launch(workers, rig.executor("borrowed"), agent_id=rig.agent.agent_id, timeout_s=20)
            found[index] = names
        for names in found.values():
            for name in names:
                self.batch.wait_status(name, "TASK_RUNNING", 30)
        return found

    def _worker(self, rig: HostRig, name: str) -> dict[str, Any]:
        container = {
            "name": "worker",
            "image": IMAGE,
            "command": list(UNIT),
            "env": [{"name": "NAME", "value": name}],
            "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        }
        volumes = [{"name": "work", "hostPath": {"path": str(self.work)}}]
        return rig.pod(name, revocable=True, cpus=CPUS, spec={"containers": [container], "volumes": volumes})

    def _returned(self, since_s: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """By agent: when its lender asked, and when the last loan had ended. Stops the lenders."""
        asked_s, freed_s = [], []
        for lender in self.lenders:
            asked = [at for at in _times(lender, "lending.asked") if at >= since_s]
            freed = [at for at in _times(lender, "lending.freed") if at >= since_s]
            assert freed, f"nothing came back: {lender.log_path.read_text()[-3000:]}"
            asked_s.append(min(asked))
            freed_s.append(max(freed))
            lender.stop()
        return tuple(asked_s), tuple(freed_s)

    def _work(self, borrowed: dict[int, list[str]], freed_s: tuple[float, ...]) -> tuple[float, float]:
        """Seconds of work that the pods' checkpoints kept, and that were lost."""
        offset_s = boot_s() - time.time()
        worked = lost = 0.0
        for index, names in borrowed.items():
            for name in names:
                began_s = (self.work / f"{name}.began").stat().st_mtime + offset_s
                done = self.work / name
                saved_s = done.stat().st_mtime + offset_s if done.exists() else began_s
                worked += saved_s - began_s
                lost += max(0.0, freed_s[index] - saved_s)
        return worked, lost


_SETTINGS: Final = {
    "spark.mesos.role": OWNER,
    "spark.executor.cores": "1",
    "spark.cores.max": "2",
    "spark.mesos.rejectOfferDuration": "1s",
    "spark.mesos.rejectOfferDurationForUnmetConstraints": "1s",
    "spark.mesos.rejectOfferDurationForReachedMaxCores": "1s",
    "spark.scheduler.minRegisteredResourcesRatio": "0",
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.minExecutors": "0",
    "spark.dynamicAllocation.maxExecutors": "2",
    "spark.dynamicAllocation.executorIdleTimeout": "2s",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.timeout": "2s",
}


def _is_computing(rig: HostRig) -> bool:
    """Whether the agent has a task of Spark's."""
    found = rig.agent.operator.tasks()
    tasks = [each for kind in ("pending_tasks", "queued_tasks", "launched_tasks") for each in found.get(kind, [])]
    return any(task["name"].startswith("bursts") for task in tasks)


def _times(lender: Lender, code: str) -> list[float]:
    """CLOCK_BOOTTIME."""
    offset_s = boot_s() - time.time()
    return [datetime.fromisoformat(line["time"]).timestamp() + offset_s for line in lender.lines(code)]


@contextmanager
def _lab(directory: Path, tell: Callable[[str], None]) -> Iterator[Proof]:
    with ExitStack() as stack:
        lab = stack.enter_context(site(resources=RESOURCES))
        try:
            yield Proof(lab, stack, directory, tell)
        except Exception:
            lab.evidence()
            raise


def measure(bursts: int, directory: Path, tell: Callable[[str], None], keep: Callable[[Run], None]) -> Run:
    """So many bursts with lending, and as many without; which one is first changes from pair to pair. `keep` gets what
    is known after each pair.
    """
    run = Run()
    with _lab(directory, tell) as proof:
        proof.turn(0, lending=False)  # warms everything up
        for pair in range(bursts):
            for number, lending in enumerate((pair % 2 == 0, pair % 2 == 1)):
                run.turns.append(proof.turn(2 * pair + number + 1, lending=lending))
            run.samples = list(proof.sampler.samples)
            keep(run)
    shutil.rmtree(directory / "work")
    return run
