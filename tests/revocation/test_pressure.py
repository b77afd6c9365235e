"""Pressure on a real node: revocable pods are squeezed, the fewest that help are revoked, and the rest is let go.

The regular pod's load is switched by stopping and continuing its processes. What is judged is what the executor did
and what its groups used in relation to their limits, so that other load on the machine does not matter: it only adds
to the pressure.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SPINNERS = 4
BUSY = ("sh", "-c", "trap 'exit 0' TERM; " + "while :; do :; done & " * SPINNERS + "wait")
HOLDS_400_MB = ("sh", "-c", "mkfifo /tmp/f; sleep 1000 < /tmp/f & exec dd if=/dev/zero bs=400M count=1 of=/tmp/f")
ALWAYS = {
    "ENABLED": "true",
    "INTERVAL_S": "0.4",
}
CPU_ALONE = ALWAYS | {"CPU_STALL_PERCENT": "10", "MEMORY_RESERVE_PERCENT": "0"}
"""With the memory not watched nothing is looked at by itself: only the kernel's word of a stall wakes the governor."""
PATIENCE_S = 30.0
COOL_DOWN_S = 4.0
PAUSES = 4


@pytest.fixture(autouse=True)
def _needs_psi() -> None:
    if not Path("/proc/pressure/cpu").exists():
        pytest.skip("needs PSI")


class Story:
    """One executor with its own [pressure], and what its journal has told."""

    def __init__(self, rig: Rig, scheduler: Scheduler, pressure: dict[str, str]) -> None:
        self._rig = rig
        self._scheduler = scheduler
        self._info = rig.executor(config={f"PRESSURE_{name}": text for name, text in pressure.items()})

    def run(self, *tasks: dict[str, Any]) -> None:
        self._scheduler.launch(list(tasks), self._info)
        for task in tasks:
            self._scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 60)

    def all(self, code: str) -> list[dict[str, Any]]:
        return [event for event in self._rig.journal("mixed", self._scheduler) if event["code"] == f"pressure.{code}"]

    def wait(self, code: str) -> dict[str, Any]:
        """The first event of this code."""
        found = wait_for(lambda: self.all(code) or None, PATIENCE_S)
        assert found, f"no pressure.{code} in {self.codes()}"
        return found[0]

    def codes(self) -> list[str]:
        """Every word of pressure, in order."""
        codes = [event["code"] for event in self._rig.journal("mixed", self._scheduler)]
        return [code.removeprefix("pressure.") for code in codes if code.startswith("pressure.")]


class Web:
    """The regular pod: busy or not."""

    def __init__(self, rig: Rig) -> None:
        (pod,) = [pod for pod in rig.pods() if pod["class"] == "regular"]
        self._processes = [psutil.Process(pid) for pid, _ in rig.processes(pod)]
        self.rest()

    def work(self) -> None:
        for process in self._processes:
            process.resume()

    def rest(self) -> None:
        for process in self._processes:
            process.suspend()

    def untouched(self) -> bool:
        """Whether all of it lives; it goes on, so that it can end."""
        self.work()
        return len(self._processes) == SPINNERS + 1 and all(process.is_running() for process in self._processes)


def v1_file(pod: dict[str, Any], controller: str, name: str) -> Path:
    """A file of the revocable pods' group."""
    group = pod["cgroup"].partition("/revocable/")[0].lstrip("/")
    return Path("/sys/fs/cgroup", controller, group, "revocable", name)


def number(path: Path) -> int:
    return int(path.read_text())


def used_cpus(pod: dict[str, Any], seconds: float) -> float:
    """By all revocable pods together."""
    usage, begin = v1_file(pod, "cpuacct", "cpuacct.usage"), time.monotonic()
    before = number(usage)
    time.sleep(seconds)
    return (number(usage) - before) / 1e9 / (time.monotonic() - begin)


def test_squeezed_then_the_least_set_is_revoked_then_released(rig: Rig, scheduler: Scheduler) -> None:
    """Each revocable pod holds one cpu. The regular pod wants all there is, which leaves them the floor of 0.1 cpus
    together: at a share of 10 % that feeds one of the two.
    """
    told = Story(
        rig,
        scheduler,
        CPU_ALONE | {"REVOKE_AFTER_S": "2", "COOL_DOWN_S": "2", "MIN_CPUS": "0.1", "STARVED_PERCENT": "10"},
    )
    told.run(rig.pod("web", cpus=1, command=BUSY))
    web = Web(rig)
    told.run(
        rig.pod("low", revocable=True, cpus=1, command=BUSY, spec={"priority": 1}),
        rig.pod("high", revocable=True, cpus=1, command=BUSY, spec={"priority": 9}),
    )
    high = next(pod for pod in rig.pods() if pod["name"] == "high")
    quota = v1_file(high, "cpu", "cpu.cfs_quota_us")
    free_cpus = used_cpus(high, 2.5)  # more than a trigger's window
    assert told.codes() == [] and number(quota) == -1, "revocable pods alone are no pressure, however busy they are"

    web.work()
    squeezed = told.wait("squeezed")
    assert "cpu" in squeezed["reason"] and squeezed["quota_cpus"] is not None and squeezed["count"] == 2
    assert wait_for(lambda: number(quota) == 10_000 or None, PATIENCE_S), "down to the floor"
    squeezed_cpus = used_cpus(high, 1.5)
    print(f"\nrevocable pods used {free_cpus:.2f} cpus, squeezed {squeezed_cpus:.2f}")
    assert squeezed_cpus < min(0.15, free_cpus)

    status = scheduler.wait_status("low", "TASK_GONE", PATIENCE_S)
    assert how(status) == PREEMPTED
    labels = {label["key"]: label["value"] for label in status.raw["labels"]["labels"]}
    assert labels["revocation.reason"] == "pressure on the node: cpus"
    web.rest()
    told.wait("released")
    assert wait_for(lambda: number(quota) == -1 or None, 5)
    codes = told.codes()
    assert codes.count("squeezed") == codes.count("revoked") == codes.count("released") == 1, codes
    assert codes.index("squeezed") < codes.index("revoked") < codes.index("eased") < codes.index("released")
    assert "blind" not in codes and "squeeze_failed" not in codes
    story = [event["code"] for event in rig.json("why", "low")["events"]]
    assert story.index("pressure.squeezed") < story.index("pressure.revoked") < story.index("revocation.victim")
    assert {pod["name"] for pod in rig.pods()} == {"web", "high"} and web.untouched()


def test_a_load_that_comes_and_goes_is_met_by_one_squeeze(rig: Rig, scheduler: Scheduler) -> None:
    told = Story(rig, scheduler, CPU_ALONE | {"REVOKE_AFTER_S": "600", "COOL_DOWN_S": str(COOL_DOWN_S)})
    told.run(rig.pod("web", cpus=1, command=BUSY))
    web = Web(rig)
    told.run(rig.pod("batch", revocable=True, cpus=1, command=BUSY))
    batch = next(pod for pod in rig.pods() if pod["name"] == "batch")
    quota = v1_file(batch, "cpu", "cpu.cfs_quota_us")
    web.work()
    told.wait("squeezed")
    for _ in range(PAUSES):
        web.rest()
        time.sleep(1)
        web.work()
        time.sleep(1)
        assert number(quota) > 0, "a pause of the load is shorter than the cool-down: the squeeze is kept"
    web.rest()
    begin = time.monotonic()
    told.wait("released")
    assert time.monotonic() - begin > COOL_DOWN_S - 2 * 0.4, "not before the cool-down"
    codes = told.codes()
    print(f"\n{PAUSES} pauses of the load: {codes}")
    assert codes[0] == "squeezed" and codes[-1] == "released"
    assert codes.count("squeezed") == codes.count("released") == 1 and "revoked" not in codes
    assert codes.count("eased") <= PAUSES + 1 and codes.count("returned") <= PAUSES
    assert {pod["name"] for pod in rig.pods()} == {"web", "batch"} and web.untouched()


def test_a_node_without_headroom_takes_the_memory_of_the_revocable_pods(rig: Rig, scheduler: Scheduler) -> None:
    """The reserve is more than this node can have available, so that it is short of memory whatever else runs."""
    told = Story(
        rig,
        scheduler,
        ALWAYS
        | {
            "CPU_STALL_PERCENT": "0",
            "MEMORY_RESERVE_PERCENT": "99",
            "RELEASE_PERCENT": "99",
            "REVOKE_AFTER_S": "2",
            "COOL_DOWN_S": "1",
        },
    )
    told.run(rig.pod("web", mem=64))
    before = {pod["name"]: rig.processes(pod) for pod in rig.pods()}
    told.run(rig.pod("hog", revocable=True, mem=512, command=HOLDS_400_MB))
    (hog,) = [pod for pod in rig.pods() if pod["name"] == "hog"]
    squeezed = told.wait("squeezed")
    assert squeezed["reason"] == "memory" and squeezed["quota_cpus"] is None
    soft = v1_file(hog, "memory", "memory.soft_limit_in_bytes")
    assert wait_for(lambda: number(soft) < 512 << 20 or None, PATIENCE_S), "asked to give memory back"
    assert how(scheduler.wait_status("hog", "TASK_GONE", PATIENCE_S)) == PREEMPTED
    told.wait("released")
    assert number(soft) > 1 << 40
    codes = told.codes()
    assert codes == ["squeezed", "revoked", "released"], codes
    assert {pod["name"]: rig.processes(pod) for pod in rig.pods()} == before
