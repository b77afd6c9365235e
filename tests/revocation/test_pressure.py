"""Pressure on a real node: busy regular and revocable pods fight for its CPUs, and the executor takes sides."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
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
    "LOG_LEVEL": "debug",
}
"""As an operator sets it, but quick, and without revocation for want of CPU."""
MEASURE_S = 2.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config=CONFIG) as node:
        yield node


def busy(processes: int, seconds: int = 1000) -> tuple[str, ...]:
    """Processes that want a CPU each, for so long; the pod lives on."""
    loop = f"timeout {seconds} sh -c 'while :; do :; done' &"
    return ("sh", "-c", f"trap 'exit 0' TERM; {loop * processes} while :; do sleep 1; done")


def pair(rig: Rig) -> dict[str, dict[str, Any]]:
    """Two executors, whose containers have the weight of what they hold."""

    def resources(*, revocable: bool) -> list[dict[str, Any]]:
        return [messages.scalar("cpus", 0.1, revocable=revocable), messages.scalar("mem", 128)]

    return {
        name: rig.executor(name, resources=resources(revocable=name == "revocable"))
        for name in ("regular", "revocable")
    }


def run(scheduler: Scheduler, task: dict[str, Any], executor: dict[str, Any]) -> None:
    scheduler.launch([task], executor)
    scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)


def file(pod: Mapping[str, Any], controller: str, name: str) -> Path:
    return Path("/sys/fs/cgroup") / controller / pod["cgroup"].lstrip("/") / name


def cores(rig: Rig, *names: str) -> list[float]:
    """What each pod uses over the next seconds."""
    files = [file(pod, "cpuacct", "cpuacct.usage") for name in names for pod in rig.pods() if pod["name"] == name]
    begin, before = time.monotonic(), [int(each.read_text()) for each in files]
    time.sleep(MEASURE_S)
    span_ns = (time.monotonic() - begin) * 1e9
    return [(int(each.read_text()) - first) / span_ns for each, first in zip(files, before, strict=True)]


def told(rig: Rig, scheduler: Scheduler, executor: str, code: str) -> list[dict[str, Any]]:
    return [line for line in rig.journal(executor, scheduler) if line["code"] == f"pressure.{code}"]


def wait_told(rig: Rig, scheduler: Scheduler, executor: str, code: str, timeout_s: float = 30.0) -> dict[str, Any]:
    found = wait_for(lambda: told(rig, scheduler, executor, code) or None, timeout_s)
    assert found, f"no pressure.{code} within {timeout_s:g} s"
    return found[0]


def test_squeezed_pods_leave_the_cpus_to_regular_ones_and_get_them_back(rig: Rig) -> None:
    with rig.scheduler(name="squeeze") as scheduler:
        infos = pair(rig)
        run(scheduler, rig.pod("batch", revocable=True, cpus=1, command=busy(2 * CPUS)), infos["revocable"])
        (alone,) = cores(rig, "batch")
        run(scheduler, rig.pod("web", cpus=1, command=busy(CPUS)), infos["regular"])
        web_before, batch_before = cores(rig, "web", "batch")
        squeezed = wait_told(rig, scheduler, "revocable", "squeezed")
        time.sleep(6)
        web_after, batch_after = cores(rig, "web", "batch")
        print(alone, web_before, batch_before, web_after, batch_after, squeezed)
        scheduler.kill("web")
        wait_told(rig, scheduler, "revocable", "released", COOL_DOWN_S + 20)
        print(cores(rig, "batch"))
        rig.keep_evidence()
        assert 0
