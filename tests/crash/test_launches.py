"""Launches while containerd restarts: they wait for it, and all of them run."""

from __future__ import annotations

import itertools
import os
import signal
import time
from typing import Any

import pytest

from tests.crash.starts import by_crun, let_go
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import events, run
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

RESTARTS = 6
AT_ONCE = 4


def restart(rig: Rig, number: int) -> None:
    """As a crash and as an upgrade, away for half a second."""
    (rig.containerd.kill if number % 2 else rig.containerd.stop)()
    time.sleep(0.5)
    rig.containerd.start()


def test_launches_under_restarts_of_containerd(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"))
    numbers = itertools.count()
    tasks = list[str]()
    for number in range(RESTARTS):
        some = [rig.pod(f"t{next(numbers)}", revocable=n % 2 == 1, cpus=0.05) for n in range(AT_ONCE)]
        tasks += [task["task_id"]["value"] for task in some]
        scheduler.launch(some, rig.executor())
        scheduler.wait_status(tasks[-1], "TASK_STARTING", 30)
        time.sleep(0.04 * number)  # each time somewhere else
        restart(rig, number)
    scheduler.launch([two_containers(rig)], rig.executor())
    scheduler.wait_status("two", "TASK_STARTING", 30)
    restart(rig, 1)
    for task in (*tasks, "two"):
        scheduler.wait_status(task, ("TASK_RUNNING", *TERMINAL), 60)
    states = {task: scheduler.states(task)[-1] for task in (*tasks, "two")}
    again = [each["error"] for each in events(rig, "pod.make_again")]
    print(f"{len(again)} creations were made again: {sorted(set(again))}")
    wrong = {task: scheduler.statuses(task)[-1].message for task, state in states.items() if state != "TASK_RUNNING"}
    assert not wrong, wrong
    for task in states:
        scheduler.kill(task)
    for task in states:
        scheduler.wait_status(task, "TASK_KILLED", 60)
    assert wait_for(lambda: True if len(rig.containerd.shims()) == 1 else None, 20), rig.containerd.shims()
    assert events(rig, "pod.leaked") == [] and events(rig, "pod.defect") == []


def test_a_container_that_nothing_can_start_is_made_again(rig: Rig, scheduler: Scheduler) -> None:
    """containerd was killed when runc had let the program go on, and had not written that down: it runs, and runc takes
    it for one that waits for its start.
    """
    if by_crun():
        pytest.skip("crun removes what init waits by before it lets init go on")
    waiting = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
    init = {"name": "before", "image": IMAGE, "command": ["sh", "-c", waiting]}
    pod = rig.pod("web", command=("sh", "-c", "echo started; exec sleep 1000"), spec={"initContainers": [init]})
    scheduler.launch([pod], rig.executor())
    assert wait_for(lambda: container(rig, "before")["state"] == "running" or None, 30)
    (one,) = rig.pods()
    let_go(f"{one['pod']}*app*", read=True)
    os.kill(container(rig, "before")["pid"], signal.SIGTERM)
    assert wait_for(lambda: container(rig, "app")["state"] == "starting" or None, 30)
    time.sleep(1)  # the start of it hangs now
    assert scheduler.states("web")[-1] == "TASK_STARTING"
    restart(rig, 1)
    scheduler.wait_status("web", ("TASK_RUNNING", *TERMINAL), 30)
    assert scheduler.states("web")[-1] == "TASK_RUNNING", scheduler.statuses("web")[-1].message
    assert len(events(rig, "pod.make_again")) == 1
    assert len(rig.processes(one)) == 1
    done = rig.command("exec", "web", "-c", "app", "--", "echo", "fit")
    assert done.stdout == "fit\n"
    scheduler.kill("web")
    scheduler.wait_status("web", "TASK_KILLED", 30)


def container(rig: Rig, name: str) -> dict[str, Any]:
    """One of the only pod, once it is there."""
    found = [each for pod in rig.pods() for each in rig.json("inspect", pod["pod"])["containers"]]
    return next((each for each in found if each["name"] == name), {"state": "missing"})


def two_containers(rig: Rig) -> dict[str, object]:
    container = {"image": "docker.io/library/busybox:test", "command": ["sleep", "1000"]}
    return rig.pod("two", spec={"containers": [{"name": name, **container} for name in ("one", "other")]})


def test_a_launch_that_is_killed_while_containerd_is_away(rig: Rig, scheduler: Scheduler) -> None:
    """It need not wait for the limit of the launch."""
    run(rig, scheduler, rig.pod("web"))
    rig.containerd.stop()
    try:
        scheduler.launch([rig.pod("early")], rig.executor())
        scheduler.wait_status("early", "TASK_STARTING", 30)
        time.sleep(1)
        begin = time.monotonic()
        scheduler.kill("early")
        assert scheduler.wait_status("early", TERMINAL, 30).state == "TASK_KILLED"
        assert time.monotonic() - begin < 10
    finally:
        rig.containerd.start()
    assert wait_for(lambda: True if [pod["name"] for pod in rig.pods()] == ["web"] else None, 40)
