"""One executor under the real Mesos with more and more pods: launches, memory, the event loop, kills, updates.

The executor has the witness of tests/support/lag_executor.py in its event loop, which notes how late the loop is.
"""

from __future__ import annotations

import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from executor.log import journal_files
from tests.bench.bench import FULL_ONLY
from tests.bench.figures import Computed, Figure, Report, Target, growth
from tests.support import lag_executor
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import PROGRAM, Rig, wait_for

LAGGED = (*PROGRAM[:2], "tests.support.lag_executor")
"""The program of the rig."""
FULL, QUICK = (110, 250, 500), (20,)
RSS_MB = {110: 60.0, 500: 100.0}
PODS_A_SECOND = 12.0
SHIM_MB = 4.0
GROWTH = 1.25
"""A launch may take so many times as long with all pods as with the first ones."""
KILLS, RESTARTS, BURST = 20, 3, 400
IDLE_S, LIMIT_S = 10.0, 600.0
COMMAND = ("sh", "-c", "trap 'exit 0' TERM; sleep 100000 & wait")


def measure(rig: Rig, *, quick: bool, tell: Callable[[str], None]) -> Report:
    """Everything of one executor."""
    with rig.scheduler(name="scale") as scheduler:
        scale = _Scale(rig, scheduler)
        report = scale.launches(QUICK if quick else FULL)
        report.add(scale.phases())
        report.add(scale.at_rest(2.0 if quick else IDLE_S))
        report.add(scale.kills(5 if quick else KILLS))
        report.add(scale.updates(100 if quick else BURST))
        report.add(scale.resubscriptions(1 if quick else RESTARTS))
    for name, figure in report.figures.items():
        tell(f"{name}: {figure}")
    full_only = {f"rss_{pods}_pods_mb": most for pods, most in RSS_MB.items()} | {"launch_growth_over_500_pods": GROWTH}
    missing = {name: most for name, most in full_only.items() if name not in report.targets}
    report.skip(missing, FULL_ONLY)
    return report


class _Scale:
    def __init__(self, rig: Rig, scheduler: Scheduler) -> None:
        self._rig, self._scheduler = rig, scheduler
        scheduler.launch([self._pod("first")], rig.executor())
        scheduler.wait_status("first", "TASK_RUNNING", 60)
        (owner,) = rig.run_dir.glob("*.owner")
        self._process = psutil.Process(json.loads(owner.read_text())["pid"])
        self._names = ["first"]
        self._launched_s = list[tuple[float, float]]()

    def launches(self, sizes: Sequence[int]) -> Report:
        """Up to each of these numbers of pods, all that are missing in one call."""
        report = Report()
        report.figures["RSS with 1 pod, MB"] = Figure.of([self._rss_mb()])
        rss = [(1, self._rss_mb())]
        for size in sizes:
            names = [f"pod-{number}" for number in range(len(self._names), size)]
            begin_s = time.time()
            self._launch(names)
            self._names += names
            ran_s = sorted(each.at_s for each in self._scheduler.statuses() if each.state == "TASK_RUNNING")
            self._launched_s.append((begin_s, ran_s[-1]))
            rate = pods_a_second(begin_s, ran_s[-len(names) :])
            report.figures[f"pods a second, {len(names)} up to {size}"] = rate
            rss.append((size, self._rss_mb()))
            report.figures[f"RSS with {size} pods, MB"] = Figure.of([rss[-1][1]])
            shims = self._shims_mb()
            report.figures[f"PSS of a pod's shim, {size} pods, MB"] = shims
            if size in RSS_MB:
                report.targets[f"rss_{size}_pods_mb"] = Target(Figure.of([rss[-1][1]]), RSS_MB[size], timed=False)
        report.targets["pods_a_second"] = Target(rate, PODS_A_SECOND, at_least=True)
        report.targets["shim_pss_mb"] = Target(shims, SHIM_MB, timed=False)
        report.series["rss_mb"] = rss
        return report

    def phases(self) -> Report:
        """Milliseconds of each phase of each launch, by the pod's number, and how they grow."""
        sandbox = self._rig.agent.sandbox(self._scheduler.framework_id, "mixed")
        running = [event for event in journal_files.read(sandbox) if event["code"] == "pod.running"]
        launches = [event["phases_ms"] for event in running if event["task"] in set(self._names[1:])]
        # What comes before the queue depends on how many pods are launched in one call.
        named = [name for name in launches[0] if name not in ("images", "queued")]
        by_phase = {name: [launch.get(name, 0.0) for launch in launches] for name in named}
        by_phase["set-up and start"] = [
            launch["sandbox"] + max(launch["network"], launch["containers"]) + launch["start"] for launch in launches
        ]
        report = Report(series={"phases_ms": by_phase})
        for name, values in by_phase.items():
            report.figures[f"phase {name} of {len(values)} launches, ms"] = Figure.of(values)
            if statistics.median(values) >= 1.0:
                report.figures[f"growth of phase {name} over {len(values)} pods, x"] = growth(values)
        if len(self._names) >= 500:
            found = growth(by_phase["set-up and start"])
            report.targets["launch_growth_over_500_pods"] = Target(found, GROWTH)
        return report

    def at_rest(self, seconds: float) -> Report:
        """CPU and the event loop with all pods, and the loop during their launch."""
        pods = len(self._names)
        begin_s, before = time.time(), self._process.cpu_times()
        time.sleep(seconds)
        end_s, after = time.time(), self._process.cpu_times()
        used = (after.user + after.system - before.user - before.system) / (end_s - begin_s)
        report = Report(figures={f"CPU of the executor with {pods} idle pods, % of a core": Figure.of([100 * used])})
        spans = {f"with {pods} idle pods": (begin_s, end_s), f"while {pods} pods are launched": self._launched_s[-1]}
        for what, (begin, end) in spans.items():
            if lags := self._lags_ms(begin, end):
                report.figures[f"event loop late {what}, median, ms"] = Figure.of(lags)
                ranked = sorted(lags)
                value = ranked[int(0.99 * len(ranked))]
                report.figures[f"event loop late {what}, p99, ms"] = Computed(
                    (value,), ranked[0], ranked[-1], len(lags)
                )
        return report

    def kills(self, count: int) -> Report:
        """From the scheduler's call to TASK_KILLED, of one pod after the other."""
        taken = []
        for name in [self._names.pop() for _ in range(count)]:
            begin_s = time.time()
            self._scheduler.kill(name)
            taken.append((self._scheduler.wait_status(name, "TASK_KILLED", 60).at_s - begin_s) * 1e3)
        return Report(figures={"kill of one pod to TASK_KILLED, ms": Figure.of(taken)})

    def updates(self, count: int) -> Report:
        """A burst of launches that the executor refuses at once: each has one update, which Mesos acknowledges."""
        names = [f"refused-{number}" for number in range(count)]
        tasks = [self._pod(name, spec={"containers": []}) for name in names]
        start = self._scheduler.mark()
        self._scheduler.launch(tasks, self._rig.executor())
        wanted = set(names)

        def ended() -> list[float] | None:
            found = [each for each in self._scheduler.statuses(start=start) if each.task_id in wanted]
            last = [each.at_s for each in found if each.state in ("TASK_FAILED", "TASK_ERROR")]
            return last if len(last) >= count else None

        times = wait_for(ended, 120)
        if times is None:
            raise RuntimeError("the updates of refused launches did not come in two minutes")
        rate = (count - 1) / max(1e-3, max(times) - min(times))
        return Report(figures={f"updates a second, {count} at once": Figure.of([rate])})

    def resubscriptions(self, count: int) -> Report:
        """The agent is killed and starts again: from the moment that it accepts connections until it has subscribed the
        executor.
        """
        sandbox = self._rig.agent.sandbox(self._scheduler.framework_id, "mixed")
        taken = []
        for _ in range(count):
            opened = list[float]()
            before = len(_subscriptions(sandbox))
            self._rig.agent.kill()
            watch = threading.Thread(target=_wait_open, args=(self._rig.agent.endpoint, opened))
            watch.start()
            self._rig.agent.start()
            watch.join()
            times = _wait_subscribed(sandbox, before)
            if times is None or not opened:
                raise RuntimeError("the executor did not subscribe again")
            taken.append((times[-1] - opened[0]) * 1e3)
        return Report(figures={f"agent back to SUBSCRIBED, {len(self._names)} pods, ms": Figure.of(taken)})

    def _pod(self, name: str, **fields: Any) -> dict[str, Any]:
        return self._rig.pod(name, command=COMMAND, cpus=0.01, mem=8, **fields)

    def _launch(self, names: Sequence[str]) -> None:
        """Looks seldom, since this process has the same processors."""
        start = self._scheduler.mark()
        self._scheduler.launch([self._pod(name) for name in names], self._rig.executor())

        def running() -> bool | None:
            states = [each.state for each in self._scheduler.statuses(start=start)]
            return states.count("TASK_RUNNING") >= len(names) or None

        if not wait_for(running, LIMIT_S, interval_s=1.0):
            raise RuntimeError(f"{len(names)} pods did not run in {LIMIT_S:g} s")

    def _rss_mb(self) -> float:
        return float(self._process.memory_info().rss) / 2**20

    def _shims_mb(self) -> Figure:
        found = []
        for pid in self._rig.containerd.shims():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            found.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024)
        return Figure.of(found)

    def _lags_ms(self, begin_s: float, end_s: float) -> list[float]:
        sandbox = self._rig.agent.sandbox(self._scheduler.framework_id, "mixed")
        return lag_executor.lags_ms(sandbox / lag_executor.FILE, begin_s, end_s)


def pods_a_second(begin_s: float, ran_s: Sequence[float]) -> Computed:
    """Over the whole time, with the quartiles of the rates of ten pods after the other. `ran_s` is in order."""
    tens = [begin_s, *ran_s[9::10]]
    rates = Figure.of(10 / (end - begin) for begin, end in itertools.pairwise(tens) if end > begin)
    low, high = rates.spread
    return Computed((len(ran_s) / (ran_s[-1] - begin_s),), low, high, len(ran_s))


def _subscriptions(sandbox: Path) -> list[float]:
    """When the executor was subscribed, seconds since the epoch."""
    events = [event for event in journal_files.read(sandbox) if event["code"] == "mesos.subscribed"]
    return [datetime.fromisoformat(event["time"]).timestamp() for event in events]


def _wait_subscribed(sandbox: Path, before: int) -> list[float] | None:
    return wait_for(lambda: found if len(found := _subscriptions(sandbox)) > before else None, 30)


def _wait_open(endpoint: str, opened: list[float]) -> None:
    host, _, port = endpoint.rpartition(":")
    deadline_s = time.monotonic() + 60
    while not opened and time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                opened.append(time.time())
        time.sleep(0.002)
