"""Init containers and sidecars on a real containerd: their order, their failures, and a kill while they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

VOLUME = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
STOPPED = "trap 'echo {name} >> /v/order; cat /v/order; exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="init") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def init(name: str, script: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", script], **MOUNT, **more}


def sidecar(name: str) -> dict[str, Any]:
    return init(name, STOPPED.format(name=name), restartPolicy="Always")


def pod(rig: Rig, name: str, main: str, *before: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return rig.pod(
        name, command=("sh", "-c", main), container=MOUNT, spec={**VOLUME, "initContainers": list(before), **spec}
    )


def log_of(rig: Rig, task: str, container: str) -> str:
    (found,) = [each for each in rig.json("inspect", task)["containers"] if each["name"] == container]
    return Path(found["log"]["stdout"]).read_text()


def test_the_order_of_start_and_stop(rig: Rig, scheduler: Scheduler) -> None:
    before = (
        init("one", "sleep 0.3; echo one >> /v/order"),
        sidecar("left"),
        init("two", "echo two >> /v/order"),
        sidecar("right"),
    )
    task = pod(rig, "order", "echo main >> /v/order; sleep 0.3", *before, terminationGracePeriodSeconds=30)
    scheduler.launch([task], rig.executor())
    finished = scheduler.wait_status("order", "TASK_FINISHED", 60)
    assert finished.message == "container app exited with status 0"
    assert log_of(rig, "order", "left").split() == ["one", "two", "main", "right", "left"]
    assert scheduler.states("order") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    states = {each["name"]: each["state"] for each in rig.json("inspect", "order")["containers"]}
    assert states == dict.fromkeys(("one", "left", "two", "right", "app"), "exited")


def test_failures_of_init_containers(rig: Rig, scheduler: Scheduler) -> None:
    """With Never the first one ends the pod; with OnFailure it is run again, on a root file system of its own."""
    again = init("one", "[ -e /been ] && exit 9; touch /been; [ -e /v/been ] || { touch /v/been; exit 3; }")
    tasks = [
        pod(rig, "never", "echo ran", init("one", "exit 3"), init("two", "echo two")),
        pod(rig, "on-failure", "true", again, restartPolicy="OnFailure"),
    ]
    scheduler.launch(tasks, rig.executor())
    failed = scheduler.wait_status("never", "TASK_FAILED", 30)
    assert failed.message == "init container one exited with status 3"
    assert scheduler.states("never") == ["TASK_STARTING", "TASK_FAILED"]
    assert log_of(rig, "never", "app") == log_of(rig, "never", "two") == "", "they never ran"
    scheduler.wait_status("on-failure", "TASK_FINISHED", 30)
    found = {each["name"]: each["restarts"] for each in rig.json("inspect", "on-failure")["containers"]}
    assert found == {"one": 1, "app": 0}


def test_a_kill_while_an_init_container_runs(rig: Rig, scheduler: Scheduler) -> None:
    task = pod(rig, "killed", "echo ran", sidecar("left"), init("two", STOPPED.format(name="two")))
    scheduler.launch([task], rig.executor())

    def initializing() -> bool | None:
        found = rig.json("inspect", "killed")
        running = [each["state"] for each in found["containers"]] == ["running", "running", "created"]
        return (found["state"] == "initializing" and running) or None

    wait_for(initializing, 30)
    scheduler.kill("killed", grace_s=30)
    killed = scheduler.wait_status("killed", "TASK_KILLED", 25)
    assert killed.reason == "REASON_TASK_KILLED_DURING_LAUNCH"
    assert log_of(rig, "killed", "left").split() == ["two", "left"]
    assert log_of(rig, "killed", "app") == ""


def test_exit_codes_decide_about_a_restart(rig: Rig, scheduler: Scheduler) -> None:
    """One container has rules, the other one a policy of its own; neither has that of the pod."""
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "echo run >>/v/runs; test $(wc -l </v/runs) = 3 || exit 42; exit 0"
    command = {"image": IMAGE, "command": ["sh", "-c"]}
    containers = [
        {"name": "app", **command, "args": [script], **mounts, "restartPolicy": "Never", "restartPolicyRules": [rule]},
        {"name": "once", **command, "args": ["exit 0"], "restartPolicy": "OnFailure"},
    ]
    spec = {"containers": containers, "volumes": [{"name": "v", "emptyDir": {}}], "restartPolicy": "Always"}
    scheduler.launch([rig.pod("rules", spec=spec)], rig.executor())
    scheduler.wait_status("rules", "TASK_FINISHED", 60)
    events = [each for each in rig.journal("mixed", scheduler) if each.get("task") == "rules"]
    assert [each["container"] for each in events if each["code"] == "pod.restarting"] == ["app", "app"]
    codes = [
        each["exit_code"] for each in events if each["code"] == "pod.container_exited" and each["container"] == "app"
    ]
    assert codes == [42, 42, 0]


def test_a_sub_path_is_looked_up_after_the_init_containers(rig: Rig, scheduler: Scheduler) -> None:
    """Each init container makes or replaces what the next one mounts a part of."""
    whole = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    part = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "current"}]}
    command = {"image": IMAGE, "command": ["sh", "-c"]}
    spec = {
        "initContainers": [
            {"name": "make", **command, "args": ["mkdir /v/one && echo 1 >/v/one/f && ln -s one /v/current"], **whole},
            {"name": "look", **command, "args": ["test $(cat /x/f) = 1"], **part},
            {"name": "swap", **command, "args": ["rm /v/current; mkdir /v/current; echo 2 >/v/current/f"], **whole},
        ],
        "containers": [{"name": "app", **command, "args": ["cat /x/f"], **part}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    scheduler.launch([rig.pod("parts", spec=spec)], rig.executor())
    scheduler.wait_status("parts", "TASK_FINISHED", 60)
    assert log_of(rig, "parts", "app") == "2\n"


def test_a_kill_before_a_container_with_a_sub_path_is_made(rig: Rig, scheduler: Scheduler) -> None:
    part = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "part"}]}
    spec = {
        "initContainers": [init("wait", STOPPED.format(name="wait"))],
        "containers": [{"name": "app", "image": IMAGE, "command": ["sh", "-c", "echo ran"], **part}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    scheduler.launch([rig.pod("unmade", spec=spec)], rig.executor())
    wait_for(lambda: rig.json("inspect", "unmade")["containers"][0]["state"] == "running" or None, 30)
    scheduler.kill("unmade", grace_s=30)
    assert scheduler.wait_status("unmade", "TASK_KILLED", 25).reason == "REASON_TASK_KILLED_DURING_LAUNCH"
    app = next(each for each in rig.json("inspect", "unmade")["containers"] if each["name"] == "app")
    assert app["exit_code"] is None and not Path(app["log"]["stdout"]).exists()
