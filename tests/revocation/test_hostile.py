"""Pods that make it hard: by their number of threads, by groups of their own, by names that are none. Root in a pod
with CAP_SYS_ADMIN may mount the cgroup hierarchies as far as its cgroup namespace reaches.
"""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from cgroups import Hierarchies, Mode
from tests.support import cgroupdirs
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, STUBBORN, alive, events, how, regular, revived, run
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

AFTERWARDS_S = 0.5
THREADS = 1000
ADMIN = {"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}
ONLY_V1 = Hierarchies.discover().mode is Mode.V1
"""Then a pod that mounts cgroup2 gets the machine's own, in which neither the node nor its pods have a group."""
MOUNTS = "mkdir /v1; mount -t cgroup -o freezer freezer /v1; trap '' TERM; "
MOUNTS += "" if ONLY_V1 else "mkdir /v2; mount -t cgroup2 unified /v2; "
TOPS = "/v1" if ONLY_V1 else "/v1 /v2"
ODD_GROUPS = rf"""
for name in "$(printf 'a\rb')" "$(printf '\377')" "$(printf 'a\342\200\250b')" 'a b:c' pod-000000000000; do
  sleep 1000 &
  for top in {TOPS}; do mkdir "$top/$name"; echo $! > "$top/$name/cgroup.procs"; done
done
"""
FREEZES = """
mkdir /v1/cold /v1/cold/colder; sleep 1000 & echo $! > /v1/cold/colder/cgroup.procs
echo FROZEN > /v1/cold/freezer.state
[ ! -d /v2 ] || { mkdir /v2/cold; sleep 1000 & echo $! > /v2/cold/cgroup.procs; echo 1 > /v2/cold/cgroup.freeze; }
"""
HIDES = rf"""
for top in {TOPS}; do mkdir "$(printf "$top/a\rb")"; echo 1 > "$(printf "$top/a\rb")/cgroup.procs"; done
"""
READY = "echo ready; while :; do sleep 1000 & wait; done"


def admin(rig: Rig, name: str, script: str, *, revocable: bool) -> dict[str, Any]:
    return rig.pod(name, revocable=revocable, command=("sh", "-c", f"{MOUNTS}{script}{READY}"), container=ADMIN)


def wait_ready(rig: Rig, *names: str) -> None:
    def ready() -> bool | None:
        return all("ready" in rig.command("logs", name).stdout for name in names) or None

    assert wait_for(ready, 20), [rig.command("logs", name).stdout for name in names]


def test_groups_of_a_pods_own_hide_nothing(rig: Rig, scheduler: Scheduler) -> None:
    scripts = {"odd": ODD_GROUPS, "cold": FREEZES, "hidden": HIDES}
    run(
        rig,
        scheduler,
        admin(rig, "web", HIDES, revocable=False),
        *(admin(rig, name, script, revocable=True) for name, script in scripts.items()),
    )
    wait_ready(rig, "web", *scripts)
    before = regular(rig)
    victims = [pid for pod in rig.pods() if pod["class"] == "revocable" for pid, _ in rig.processes(pod)]
    assert len(victims) >= 5 + 2 + 3
    receipt = rig.json("revoke", "--all", "--grace", "300ms")
    assert revived(rig, receipt, AFTERWARDS_S) == [] and alive(rig) == []
    assert not [pid for pid in victims if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert receipt["state"] == "done" and receipt["regular"]["unchanged"] and regular(rig) == before
    for name in scripts:
        assert how(scheduler.wait_status(name, "TASK_GONE", 20)) == PREEMPTED
    assert events(rig, "executor.defect") == events(rig, "pod.defect") == []


def test_a_thousand_threads_and_a_storm_of_daemons(rig: Rig, scheduler: Scheduler) -> None:
    """posix_spawn is vfork: its parent waits in the kernel until the child has begun."""
    code = (
        "import os, threading, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "threading.stack_size(65536)\n"
        f"for _ in range({THREADS}): threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "print('ready', flush=True)\n"
        "while True: os.waitpid(os.posix_spawn('/usr/bin/setsid', ['setsid', '-f', 'sleep', '9'], os.environ), 0)\n"
    )
    names = ("usr", "lib", "lib64", "bin")
    spec = {
        "volumes": [{"name": name, "hostPath": {"path": f"/{name}"}} for name in names],
        "containers": [
            {
                "name": "app",
                "image": "docker.io/library/busybox:test",
                "command": ["/usr/bin/python3", "-c", code],
                "volumeMounts": [{"name": name, "mountPath": f"/{name}", "readOnly": True} for name in names],
            }
        ],
    }
    run(rig, scheduler, rig.pod("web"), rig.pod("threads", revocable=True, mem=512, spec=spec))
    wait_ready(rig, "threads")
    (pid,) = [pod["containers"][0]["pid"] for pod in rig.pods() if pod["name"] == "threads"]
    assert psutil.Process(pid).num_threads() == THREADS + 1
    before = regular(rig)
    receipt = rig.json("revoke", "--all")
    assert revived(rig, receipt, AFTERWARDS_S) == [] and alive(rig) == [] and receipt["state"] == "done"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    assert how(scheduler.wait_status("threads", "TASK_GONE", 20)) == PREEMPTED
    assert regular(rig) == before
    print(f"{THREADS} threads: {receipt['time_to_free_ms']} ms")


@pytest.mark.parametrize("grace", ["0s", "300ms"])
def test_who_was_moved_out_of_the_pods_groups_is_found_all_the_same(rig: Rig, scheduler: Scheduler, grace: str) -> None:
    """By root on the node, or from a pod that has its /sys/fs/cgroup: in every hierarchy, with a child."""
    run(rig, scheduler, rig.pod("web"), *(rig.pod(name, revocable=True, command=STUBBORN) for name in ("stray", "b")))
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "stray"]
    pids = [pid for pid, _ in rig.processes(pod)]
    assert len(pids) == 2
    moved = 0
    for top in cgroupdirs.roots(rig.agent.cgroups_root):
        for pid in pids:
            (top / "cgroup.procs").write_text(str(pid))
            moved += 1
    assert moved > 10 and rig.processes(pod) == []
    before = regular(rig)
    receipt = rig.json("revoke", "--all", "--grace", grace)
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert receipt["state"] == "done" and {each["outcome"] for each in receipt["victims"]} == {"killed"}
    for name in ("stray", "b"):
        assert how(scheduler.wait_status(name, "TASK_GONE", 20)) == PREEMPTED
    assert regular(rig) == before and events(rig, "pod.leaked") == []
