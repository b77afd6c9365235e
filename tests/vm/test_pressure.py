"""Pressure on cgroup v2: the kernel's triggers, the squeeze of revocable pods, and a node that is out of memory."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, by_name, class_group, group, keyed, number, page_cache, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

BUSY = ("sh", "-c", "trap 'exit 0' TERM; " + "while :; do :; done & " * 3 + "wait")
SPARE_MIB = 300


def launch(rig: Rig, scheduler: Scheduler, info: dict[str, Any], *tasks: dict[str, Any]) -> None:
    scheduler.launch(list(tasks), info)
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 60)


def pressure(rig: Rig, **values: str) -> dict[str, str]:
    """Keys of an executor's own configuration."""
    return {f"PRESSURE_{name.upper()}": value for name, value in {"enabled": "true", **values}.items()}


def told(rig: Rig, scheduler: Scheduler, executor: str, code: str) -> dict[str, Any]:
    """The first event of this code of pressure."""

    def look() -> dict[str, Any] | None:
        found = [event for event in rig.journal(executor, scheduler) if event["code"] == f"pressure.{code}"]
        return found[0] if found else None

    found = wait_for(look, 30)
    assert found is not None, [event["code"] for event in rig.journal(executor, scheduler)]
    return found


def test_a_stall_of_regular_pods_squeezes_the_class_and_no_container(rig: Rig, scheduler: Scheduler) -> None:
    """Memory is not watched, so that only the kernel's trigger can wake the executor. The floor is 0.1 cpus; a quota of
    the class is no matter of a pod's own, as it is on v1.
    """
    values = {"cpu_stall_percent": "10", "memory_reserve_percent": "0", "revoke_after_s": "600", "cool_down_s": "1"}
    info = rig.executor("squeezed", config=pressure(rig, **values))
    own = {"resources": {"limits": {"cpu": "500m"}}}
    launch(rig, scheduler, info, rig.pod("lent", revocable=True, cpus=1, command=BUSY, container=own))
    lent = by_name(rig)["lent"]
    revocable, app = class_group(lent), group(lent["cgroup"]) / "app"
    assert text(revocable, "cpu.max").startswith("max ")
    launch(rig, scheduler, info, rig.pod("busy", cpus=1, command=BUSY))
    squeezed = told(rig, scheduler, "squeezed", "squeezed")
    assert squeezed["reason"] == "cpu" and squeezed["quota_cpus"] is not None
    assert wait_for(lambda: text(revocable, "cpu.max") == "10000 100000" or None, 30)
    assert text(app, "cpu.max") == "50000 100000"
    usage, begin = keyed(revocable, "cpu.stat")["usage_usec"], time.monotonic()
    time.sleep(2)
    used_cpus = (keyed(revocable, "cpu.stat")["usage_usec"] - usage) / 1e6 / (time.monotonic() - begin)
    print(f"squeezed revocable pods used {used_cpus:.2f} cpus")
    assert used_cpus < 0.2
    scheduler.kill("busy", grace_s=0)
    told(rig, scheduler, "squeezed", "released")
    assert wait_for(lambda: text(revocable, "cpu.max").startswith("max ") or None, 10)


@contextlib.contextmanager
def node_without_memory() -> Iterator[int]:
    """The MiB that are left once most of the node's memory is set aside as huge pages, which nothing else can use."""
    pool = Path("/proc/sys/vm/nr_hugepages")
    try:
        pool.write_text(str((psutil.virtual_memory().available // MIB - SPARE_MIB) // 2))
        yield psutil.virtual_memory().available // MIB
    finally:
        pool.write_text("0")


def unwritten(directory: Path) -> int:
    """Bytes that the kernel must write before it can take them."""
    stat = keyed(directory, "memory.stat")
    return stat["file_dirty"] + stat["file_writeback"]


def test_the_squeeze_takes_memory_back_at_once(rig: Rig, scheduler: Scheduler) -> None:
    """What the pod holds is page cache, which `memory.high` takes at once. No task ends for it."""
    values = {"cpu_stall_percent": "0", "memory_reserve_percent": "40", "release_percent": "99"}
    config = pressure(rig, **values, revoke_after_s="600", cool_down_s="1")
    line = "dd if=/dev/zero of=/big bs=1M count=96; sync; sleep 100000"
    launch(
        rig,
        scheduler,
        rig.executor("reclaimed", config=config),
        rig.pod("cache", revocable=True, mem=128, command=("sh", "-c", line)),
    )
    cache = by_name(rig)["cache"]
    revocable = class_group(cache)
    assert wait_for(lambda: True if page_cache(revocable) >= 96 * MIB and not unwritten(revocable) else None, 60)
    assert text(revocable, "memory.high") == "max"
    before = rig.processes(cache)
    with node_without_memory():
        squeezed = told(rig, scheduler, "reclaimed", "squeezed")
        assert squeezed["reason"] == "memory" and squeezed["quota_cpus"] is None
        high = number(revocable, "memory.high")
        taken = wait_for(lambda: True if number(revocable, "memory.current") < high + 4 * MIB else None, 2)
        assert taken, (high, number(revocable, "memory.current"), text(revocable, "memory.stat"))
        print(f"memory.high {high // MIB} MiB, {number(revocable, 'memory.current') // MIB} MiB are left")
        assert high < 32 * MIB
    told(rig, scheduler, "reclaimed", "released")
    assert text(revocable, "memory.high") == "max"
    assert rig.processes(cache) == before != []


def test_the_node_itself_runs_out_of_memory(rig: Rig, scheduler: Scheduler) -> None:
    """The kernel ends what is borrowed, though a regular pod uses as much as it may; its page cache stays."""
    kept = "dd if=/dev/zero of=/kept bs=1M count=32; cat /kept >/dev/null; sleep 100000"
    hog = f"while [ ! -e /go ]; do sleep 1; done; exec dd if=/dev/zero of=/dev/null bs={2 * SPARE_MIB}M count=1"
    launch(
        rig,
        scheduler,
        rig.executor(),
        rig.pod("holds", mem=64, command=("sh", "-c", kept)),
        rig.pod("innocent", revocable=True),
        rig.pod("hog", revocable=True, mem=4096, command=("sh", "-c", hog)),
    )
    pods = by_name(rig)
    before = {name: rig.processes(pods[name]) for name in ("holds", "innocent")}
    holds = group(pods["holds"]["cgroup"]) / "app"
    assert wait_for(lambda: True if page_cache(holds) >= 32 * MIB else None, 30)
    revocable = class_group(pods["innocent"])
    own_ooms = keyed(revocable, "memory.events.local")["oom"]
    with node_without_memory() as left:
        begin = time.monotonic()
        Path(f"/proc/{pods['hog']['containers'][0]['pid']}/root/go").touch()
        status = scheduler.wait_status("hog", ("TASK_GONE", "TASK_FAILED"), 60)
        cached = page_cache(holds)
    print(f"{left} MiB were available; {status} after {time.monotonic() - begin:.1f} s; {cached // MIB} MiB were kept")
    assert how(status) == PREEMPTED and "the memory of the node was met" in status.message
    assert cached >= 0.9 * 32 * MIB
    assert {name: rig.processes(pods[name]) for name in before} == before
    assert keyed(revocable, "memory.events.local")["oom"] == own_ooms, "no limit of the class was met"
