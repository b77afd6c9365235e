"""What a pod may not take on cgroup v2: memory by level, processes, and what is taken back under pressure."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cgroups import UNLIMITED, Cgroup, Hierarchies, Limits
from tests.support.mesos.cluster import node_cgroup
from tests.support.mesos.scheduler import Scheduler
from tests.support.patience import patient
from tests.support.revoking import PREEMPTED, how, run
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, PIDS_MAX, by_name, class_group, group, keyed, number, page_cache, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMITED = ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY", "SOURCE_EXECUTOR")
LIMIT = {"resources": {"limits": {"memory": "24Mi"}}}
HOG = "dd if=/dev/zero of=/dev/null bs=60M count=1"


def hog(rig: Rig, name: str, line: str = f"sleep 1; exec {HOG}", **task: Any) -> dict[str, Any]:
    return rig.pod(name, command=("sh", "-c", line), **task)


def test_the_limit_that_was_met_is_named(rig: Rig, scheduler: Scheduler) -> None:
    """The container's own, its pod's, and that of all revocable pods together; other pods live on."""
    last = hog(rig, "last", f"{HOG}; while [ ! -e /go ]; do sleep 1; done; exec {HOG}", revocable=True, mem=64)
    own, pods = hog(rig, "own", revocable=True, mem=64, container=LIMIT), hog(rig, "pods", mem=32)
    scheduler.launch([rig.pod("innocent", revocable=True), last, own, pods], rig.executor())
    status = scheduler.wait_status("own", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "its own limit of 25165824 bytes" in status.message
    status = scheduler.wait_status("pods", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "the limit of its pod of 33554432 bytes" in status.message
    for name in ("innocent", "last"):
        scheduler.wait_status(name, "TASK_RUNNING", 30)
    found = by_name(rig)
    before = rig.processes(found["innocent"])
    revocable = class_group(found["last"])
    left = (32 + 64) * MIB
    assert wait_for(lambda: number(revocable, "memory.max") == left or None, 30), "it changes once more as `own` ends"
    (revocable / "memory.max").write_text(str(48 * MIB))
    Path(f"/proc/{found['last']['containers'][0]['pid']}/root/go").touch()
    status = scheduler.wait_status("last", ("TASK_GONE", "TASK_FAILED"), 30)
    assert how(status) == PREEMPTED and "all revocable pods together of 50331648 bytes" in status.message
    assert keyed(revocable, "memory.events.local")["oom"] >= 1, "of its own limit, not of one below"
    assert rig.processes(found["innocent"]) == before != []


def test_a_fork_bomb_is_held_by_its_limit_and_ends_with_the_revocation(rig: Rig, scheduler: Scheduler) -> None:
    """A shell that cannot fork ends, and makes room for its siblings to go on."""
    line = "bomb() { while :; do bomb & done; }; bomb & exec sleep 1000"
    run(rig, scheduler, hog(rig, "bomb", line, revocable=True, mem=128))
    bomb = group(by_name(rig)["bomb"]["cgroup"])
    assert number(bomb, "pids.max") == PIDS_MAX
    counted = (bomb, bomb / "app")  # by kernels like 6.1 in the group of what forked
    assert wait_for(lambda: max(keyed(each, "pids.events")["max"] for each in counted) or None, 60)
    assert number(bomb, "pids.peak") <= PIDS_MAX
    receipt = rig.json("revoke", "--all")
    assert receipt["state"] == "done" and receipt["regular"]["unchanged"]
    assert how(scheduler.wait_status("bomb", ("TASK_GONE", "TASK_LOST"))) == PREEMPTED


def test_page_cache_of_a_regular_pod_outlives_the_pressure_of_others(rig: Rig, scheduler: Scheduler) -> None:
    """memory.min holds only where all groups above it have it; the group of the competitor has a limit of its own."""
    size = 48
    line = f"dd if=/dev/zero of=/big bs=1M count={size}; sync; cat /big >/dev/null; sleep 1000"
    run(rig, scheduler, rig.pod("cached", mem=96, command=("sh", "-c", line)))
    cached = by_name(rig)["cached"]
    app = group(cached["cgroup"]) / "app"
    assert wait_for(lambda: True if page_cache(app) >= size * MIB else None, 30)
    above = class_group(cached).parents[1].parent
    before = text(above, "memory.max")
    with contextlib.suppress(OSError):  # EAGAIN: not all of it could be taken
        (above / "memory.reclaim").write_text(str(size * MIB))
    kept = page_cache(app)
    assert text(above, "memory.max") == before
    print(f"{kept // MIB} MiB of {size} MiB of page cache were kept")
    assert kept >= 0.9 * size * MIB


def test_high_takes_memory_back_at_once() -> None:
    """What the squeeze of revocable pods writes; v1's soft limit waits for a node that is short itself."""
    cgroup = Cgroup(Hierarchies.discover(), f"{node_cgroup()}/squeezed")
    cgroup.ensure()
    code = "x = open('/var/tmp/squeezed', 'wb'); x.write(bytes(40 << 20)); x.flush(); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-Ic", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            cgroup.attach(process.pid)
            assert process.stdout is not None and process.stdout.readline()
            assert (cgroup.stat().memory_bytes or 0) > 40 * MIB
            begin = time.monotonic()
            cgroup.apply(Limits(memory_high_bytes=24 * MIB))
            took_s = time.monotonic() - begin
            used = cgroup.stat().memory_bytes or 0
            print(f"{used // MIB} MiB are left after {took_s:.2f} s")
            assert used < 30 * MIB and took_s < patient(1)
            cgroup.apply(Limits(memory_high_bytes=UNLIMITED))
            assert text(group(cgroup.path), "memory.high") == "max"
        finally:
            process.kill()
            process.wait()
            cgroup.destroy()
