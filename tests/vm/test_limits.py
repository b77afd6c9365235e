"""What a pod may not take on cgroup v2: memory by level, processes, and what is taken back under pressure."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cgroups import UNLIMITED, Cgroup, Hierarchies, Limits
from tests.support.mesos.cluster import node_cgroup
from tests.support.mesos.scheduler import Scheduler
from tests.support.patience import patient
from tests.support.revoking import PREEMPTED, how, run, unharmed
from tests.support.rig import Rig, wait_for
from tests.vm.groups import MIB, class_group, group, keyed, number, text

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMITED = ("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY", "SOURCE_EXECUTOR")
LIMIT = {"resources": {"limits": {"memory": "24Mi"}}}
HOG = ("sh", "-c", "sleep 1; exec dd if=/dev/zero of=/dev/null bs=200M count=1")


def test_the_limit_that_was_met_is_named(rig: Rig, scheduler: Scheduler) -> None:
    """The container's own, its pod's, and that of all revocable pods together; other pods live on."""
    fill = "dd if=/dev/zero of=/dev/null bs=60M count=1"
    pool = ("sh", "-c", f"{fill}; while [ ! -e /go ]; do sleep 1; done; exec {fill}")
    last = rig.pod("last", revocable=True, mem=64, command=pool)
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True), last)
    before = [pod for pod in rig.pods() if pod["name"] != "last"]
    scheduler.launch([rig.pod("own", revocable=True, mem=64, command=HOG, container=LIMIT)], rig.executor())
    status = scheduler.wait_status("own", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "its own limit of 25165824 bytes" in status.message
    scheduler.launch([rig.pod("pods", mem=32, command=HOG)], rig.executor())
    status = scheduler.wait_status("pods", "TASK_FAILED", 30)
    assert how(status) == LIMITED and "the limit of its pod of 33554432 bytes" in status.message
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "last"]
    revocable = class_group(pod)
    (revocable / "memory.max").write_text(str(48 * MIB))
    Path(f"/proc/{pod['containers'][0]['pid']}/root/go").touch()
    status = scheduler.wait_status("last", ("TASK_GONE", "TASK_FAILED"), 30)
    assert how(status) == PREEMPTED and "all revocable pods together of 50331648 bytes" in status.message
    assert keyed(revocable, "memory.events.local")["oom"] >= 1, "of its own limit, not of one below"
    assert unharmed(rig, before)


def test_processes_are_limited(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("bomb", revocable=True))
    (bomb,) = rig.pods()
    assert number(group(bomb["cgroup"]), "pids.max") == 16384
    assert number(group(bomb["cgroup"]), "pids.current") >= 1


def test_page_cache_of_a_regular_pod_outlives_the_pressure_of_others(rig: Rig, scheduler: Scheduler) -> None:
    """memory.min holds only where all groups above have it; the group of the competitor has a limit of its own."""
    size = 48
    line = f"dd if=/dev/zero of=/big bs=1M count={size}; sync; cat /big >/dev/null; sleep 1000"
    run(rig, scheduler, rig.pod("web", mem=96, command=("sh", "-c", line)))
    (web,) = rig.pods()
    app = group(web["cgroup"]) / "app"
    assert wait_for(lambda: True if keyed(app, "memory.stat")["file"] >= size * MIB else None, 30)
    above = class_group(web).parents[1].parent
    before = text(above, "memory.max")
    with contextlib.suppress(OSError):  # EAGAIN: not all of it could be taken
        (above / "memory.reclaim").write_text(str(size * MIB))
    kept = keyed(app, "memory.stat")["file"]
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
