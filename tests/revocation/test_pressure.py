"""Pressure on a real node: busy regular and revocable pods fight for its CPUs, and the executor takes sides."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, regular
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

CPUS = os.cpu_count() or 1
COOL_DOWN_S = 4.0
CONFIG = {
    "PRESSURE_ENABLED": "true",
    "PRESSURE_COOL_DOWN_S": str(COOL_DOWN_S),
    "PRESSURE_REVOKE_AFTER_S": "3",
    "PRESSURE_MIN_CPUS": "0.05",
    "PRESSURE_STARVED_PERCENT": "0",
    "PRESSURE_MEMORY_RESERVE_PERCENT": "0",
}
"""As an operator sets it, but quick, and for CPU alone without revocation."""
MEASURE_S = 2.0
LOOP = "while :; do :; done"


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config=CONFIG) as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    failed = request.session.testsfailed
    with rig.scheduler(name=request.node.name) as framework:
        yield framework
        if request.session.testsfailed > failed:
            rig.keep_evidence()
    assert not any((leaks := rig.wait_clean()).values()), leaks


def busy(processes: int) -> tuple[str, ...]:
    """Processes that want a CPU each."""
    return ("sh", "-c", f"trap 'exit 0' TERM; {'while :; do :; done & ' * processes} wait")


def executor(rig: Rig, name: str, *, cpus: float = 0, revocable: bool = False, **config: str) -> dict[str, Any]:
    """For both classes, or with cpus of one kind; `config` is [pressure]."""
    resources = [messages.scalar("mem", 128)]
    if cpus:
        resources.append(messages.scalar("cpus", cpus, revocable=revocable))
    info = rig.executor(name, resources=resources)
    variables = info["command"]["environment"]["variables"]
    for key, value in config.items():
        variable = f"MESOS_POD_EXECUTOR_PRESSURE_{key}"
        variables[:] = [each for each in variables if each["name"] != variable] + [{"name": variable, "value": value}]
    return info


def run(scheduler: Scheduler, info: dict[str, Any], *tasks: dict[str, Any]) -> None:
    scheduler.launch(list(tasks), info)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)


def end(scheduler: Scheduler, task: str) -> None:
    scheduler.kill(task)
    scheduler.wait_status(task, "TASK_KILLED", 30)


def pod_named(rig: Rig, name: str) -> dict[str, Any]:
    return next(pod for pod in rig.pods() if pod["name"] == name)


def quota_usec(cgroup: str) -> int:
    return int(Path(f"/sys/fs/cgroup/cpu{cgroup}/cpu.cfs_quota_us").read_text())


def subtree(pod: Mapping[str, Any]) -> str:
    """The class's cgroup above a pod's."""
    return str(pod["cgroup"]).partition(f"/{pod['class']}/")[0] + f"/{pod['class']}"


def cores(rig: Rig, *names: str) -> list[float]:
    """What each pod uses over the next seconds."""
    files = [Path(f"/sys/fs/cgroup/cpuacct{pod_named(rig, name)['cgroup']}/cpuacct.usage") for name in names]
    begin, before = time.monotonic(), [int(each.read_text()) for each in files]
    time.sleep(MEASURE_S)
    span_ns = (time.monotonic() - begin) * 1e9
    return [(int(each.read_text()) - first) / span_ns for each, first in zip(files, before, strict=True)]


class Story:
    """What one executor told about pressure."""

    def __init__(self, rig: Rig, scheduler: Scheduler, executor_id: str = "mixed") -> None:
        self._read: Callable[[], list[dict[str, Any]]] = lambda: rig.journal(executor_id, scheduler)

    def of(self, *words: str) -> list[dict[str, Any]]:
        codes = [f"pressure.{word}" for word in words]
        return [line for line in self._read() if line["code"] in codes]

    def wait(self, word: str, timeout_s: float = 30.0) -> dict[str, Any]:
        found = wait_for(lambda: self.of(word) or None, timeout_s)
        assert found, f"no pressure.{word} within {timeout_s:g} s"
        return found[0]


def seconds(lines: Sequence[Mapping[str, Any]]) -> list[float]:
    from datetime import datetime

    return [datetime.fromisoformat(line["time"]).timestamp() for line in lines]


def test_squeezed_pods_leave_the_cpus_to_regular_ones_and_get_them_back(rig: Rig, scheduler: Scheduler) -> None:
    """Two executors, whose containers weigh alike: without the squeeze, what is borrowed costs as much as it gets."""
    run(scheduler, executor(rig, "regular", cpus=0.1), rig.pod("web", cpus=1, command=busy(CPUS)), rig.pod("quiet"))
    free = executor(rig, "free", cpus=0.1, revocable=True, ENABLED="false")
    run(scheduler, free, rig.pod("batch0", revocable=True, cpus=1, command=busy(2 * CPUS)))
    web_before, batch_before = cores(rig, "web", "batch0")
    end(scheduler, "batch0")

    governed = executor(rig, "governed", cpus=0.1, revocable=True)
    run(scheduler, governed, rig.pod("batch", revocable=True, cpus=1, command=busy(2 * CPUS)))
    story = Story(rig, scheduler, "governed")
    assert story.wait("squeezed")["reason"] == "cpu"
    time.sleep(3)
    web_after, batch_after = cores(rig, "web", "batch")
    print(f"web {web_before:.2f} -> {web_after:.2f} cores, batch {batch_before:.2f} -> {batch_after:.2f}")
    assert web_after > 1.25 * web_before
    assert batch_after < 0.3 * batch_before
    assert 0 < quota_usec(subtree(pod_named(rig, "batch"))) < 50_000

    end(scheduler, "web")
    story.wait("released", COOL_DOWN_S + 20)
    assert quota_usec(subtree(pod_named(rig, "batch"))) == -1
    assert cores(rig, "batch")[0] > 3 * batch_after
    eased, released = seconds(story.of("eased", "released"))[-2:]
    assert released - eased >= COOL_DOWN_S - 0.1
    assert not story.of("revoked", "squeeze_failed", "blind", "defect")


def test_a_load_in_bursts_does_not_make_it_oscillate(rig: Rig, scheduler: Scheduler) -> None:
    bursts = (
        "sh",
        "-c",
        f"while :; do for n in {'x ' * 2 * CPUS}; do timeout 2 sh -c '{LOOP}' & done; wait; sleep 2; done",
    )
    run(scheduler, executor(rig, "mixed"), rig.pod("batch", revocable=True, command=busy(CPUS)))
    run(scheduler, executor(rig, "mixed"), rig.pod("web", command=bursts))
    story = Story(rig, scheduler)
    story.wait("squeezed")
    time.sleep(14)
    begins = seconds(story.of("squeezed"))
    print(f"{len(begins)} squeezes, {len(story.of('returned'))} returns")
    assert all(later - earlier >= COOL_DOWN_S for earlier, later in pairwise(begins))
    assert story.of("eased"), "the bursts are too close to tell"
    assert not story.of("released")


def test_pods_with_a_quota_of_their_own_are_squeezed_start_meanwhile_and_get_it_back(
    rig: Rig, scheduler: Scheduler
) -> None:
    limited = {"resources": {"limits": {"cpu": "500m"}}}
    run(scheduler, executor(rig, "mixed"), rig.pod("a", revocable=True, command=busy(1), container=limited))
    run(scheduler, executor(rig, "mixed"), rig.pod("web", command=busy(2 * CPUS)), rig.pod("quiet"))
    story = Story(rig, scheduler)
    story.wait("squeezed")
    run(scheduler, executor(rig, "mixed"), rig.pod("b", revocable=True, command=busy(1), container=limited))
    leaves = [f"{pod_named(rig, name)['cgroup']}/app" for name in ("a", "b")]
    assert wait_for(lambda: all(0 < quota_usec(leaf) < 50_000 for leaf in leaves) or None, 5)
    end(scheduler, "web")
    story.wait("released", COOL_DOWN_S + 20)
    assert [quota_usec(leaf) for leaf in leaves] == [50_000, 50_000]
    assert not story.of("squeeze_failed")


def test_starving_pods_are_revoked_and_only_as_many_as_must_be(rig: Rig, scheduler: Scheduler) -> None:
    """At the floor of 0.05 cpus and a share of half of what is held, `small` may stay."""
    info = executor(rig, "mixed", STARVED_PERCENT="50")
    run(scheduler, info, rig.pod("big", revocable=True, cpus=1.5, command=busy(1)))
    run(scheduler, info, rig.pod("small", revocable=True, cpus=0.05, command=busy(1)))
    run(scheduler, info, rig.pod("web", command=busy(2 * CPUS)))
    before = regular(rig)
    status = scheduler.wait_status("big", "TASK_GONE", 40)
    assert how(status) == PREEMPTED
    assert "pressure" in {label["value"] for label in status.raw["labels"]["labels"]}
    assert regular(rig) == before
    assert {pod["name"] for pod in rig.pods()} == {"web", "small"}
    story = Story(rig, scheduler)
    (squeezed,), (revoked, *_) = seconds(story.of("squeezed")), seconds(story.of("revoked"))
    assert revoked - squeezed >= 3


def test_memory_that_is_short_is_squeezed_and_then_revoked(rig: Rig, scheduler: Scheduler) -> None:
    """The reserve is set a little above what is available, and the victim uses a good part of what is missing."""
    memory = psutil.virtual_memory()
    reserve = min(99.0, 100 * memory.available / memory.total + 3)
    reserve_percent = f"{reserve:.1f}"
    info = executor(rig, "mixed", CPU_STALL_PERCENT="0", MEMORY_RESERVE_PERCENT=reserve_percent, RELEASE_PERCENT="99")
    run(scheduler, info, rig.pod("web"))
    before = regular(rig)
    hog = ("sh", "-c", "dd if=/dev/zero bs=400M count=1 | sleep 1000")
    run(scheduler, info, rig.pod("hog", revocable=True, mem=450, command=hog))
    soft = Path(f"/sys/fs/cgroup/memory{subtree(pod_named(rig, 'hog'))}/memory.soft_limit_in_bytes")
    story = Story(rig, scheduler)
    squeezed = story.wait("squeezed")
    assert squeezed["reason"] == "memory" and int(soft.read_text()) == squeezed["limit_bytes"] // 4096 * 4096
    assert how(scheduler.wait_status("hog", "TASK_GONE", 40)) == PREEMPTED
    assert regular(rig) == before


def test_a_calm_node_costs_nothing(rig: Rig, scheduler: Scheduler) -> None:
    """With a revocable pod and triggers armed, for memory too: the executor sleeps as it does without."""
    spent = {}
    for name, enabled in (("without", "false"), ("with", "true")):
        info = executor(rig, name, ENABLED=enabled, MEMORY_RESERVE_PERCENT="1")
        run(scheduler, info, rig.pod(f"batch-{name}", revocable=True), rig.pod(f"web-{name}"))
        (process,) = [each for each in psutil.process_iter() if _is_executor(each, name)]
        time.sleep(3)
        first = process.num_ctx_switches().voluntary
        time.sleep(4)
        spent[name] = process.num_ctx_switches().voluntary - first
    print(f"wake-ups in 4 s: {spent}")
    assert spent["with"] <= spent["without"] + 8
    assert not Story(rig, scheduler, "with").of("squeezed", "blind", "defect")


def _is_executor(process: psutil.Process, executor_id: str) -> bool:
    try:
        return process.environ().get("MESOS_EXECUTOR_ID") == executor_id and "executor" in process.cmdline()
    except psutil.Error:
        return False
