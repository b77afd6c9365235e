"""Init containers and sidecars on a real containerd: their order, their failures, and a kill while they run."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.messages import TERMINAL
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


def owner_files(rig: Rig) -> set[Path]:
    return set(rig.run_dir.glob("*.owner"))


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


def test_a_host_path_is_bound_after_the_init_containers(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    """An init container replaces the directory, as one that installs a release does; the next ones see the new one."""
    (tmp_path / "release").mkdir()
    (tmp_path / "release/f").write_text("old\n")
    own = {"volumeMounts": [{"name": "release", "mountPath": "/x"}]}
    swap = "mkdir /above/next; echo new >/above/next/f; mv /above/release /above/last; mv /above/next /above/release"
    spec = {
        "initContainers": [
            {**init("before", "grep old /x/f"), **own},
            {**init("swap", swap), "volumeMounts": [{"name": "above", "mountPath": "/above"}]},
            {**init("look", "grep new /x/f"), **own},
        ],
        "containers": [{**init("app", "cat /x/f"), **own}],
        "volumes": [
            {"name": "above", "hostPath": {"path": str(tmp_path), "type": "Directory"}},
            {"name": "release", "hostPath": {"path": f"{tmp_path}/release", "type": "Directory"}},
        ],
    }
    scheduler.launch([rig.pod("replaced", spec=spec)], rig.executor())
    scheduler.wait_status("replaced", "TASK_FINISHED", 60)
    assert log_of(rig, "replaced", "app") == "new\n"


def test_a_link_that_is_swapped_all_the_time_never_leads_out_of_its_volume(
    rig: Rig, scheduler: Scheduler, tmp_path: Path
) -> None:
    """A sidecar swaps what the subPath of ten containers names, while they are made and started."""
    (tmp_path / "v/in").mkdir(parents=True)
    (tmp_path / "v/in/mark").write_text("inside\n")
    (tmp_path / "v/mark").write_text("root\n")
    (tmp_path / "mark").write_text("outside\n")
    (tmp_path / "v/at").symlink_to("in")
    swap = "".join(f"ln -s {to} /v/n; mv -T /v/n /v/at; " for to in ("..", "in", "/", "in/../..", "in"))
    volume = {"name": "v", "hostPath": {"path": f"{tmp_path}/v", "type": "Directory"}}
    part = {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "at"}]}
    whole = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    looks = [{**init(f"look-{n}", "cat /x/mark"), **part} for n in range(10)]
    spec = {
        "initContainers": [{**init("swaps", f"while :; do {swap} done", restartPolicy="Always"), **whole}, *looks],
        "containers": [{**init("app", "cat /x/mark"), **part}],
        "volumes": [volume],
    }
    scheduler.launch([rig.pod("swaps", spec=spec)], rig.executor())
    scheduler.wait_status("swaps", "TASK_FINISHED", 90)
    seen = [log_of(rig, "swaps", f"look-{n}").strip() for n in range(10)]
    assert set(seen) <= {"inside", "root"} and len(seen) == 10


def test_nothing_is_left_of_an_executor_that_is_killed_amid_init_containers(rig: Rig, scheduler: Scheduler) -> None:
    """A container that is made late is not there yet, and a sidecar runs."""
    before = owner_files(rig)
    late = {**MOUNT, "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "part"}]}
    spec = {
        **VOLUME,
        "initContainers": [init("first", "true"), sidecar("side"), init("second", "sleep 1000")],
        "containers": [{**init("app", "echo ran"), **late}],
    }
    scheduler.launch([rig.pod("amid", spec=spec)], rig.executor("killed"))

    def second_runs() -> bool | None:
        found = rig.command("inspect", "amid", "--json", check=False)
        states = {each["name"]: each["state"] for each in json.loads(found.stdout or "{}").get("containers", ())}
        return states.get("second") == "running" or None

    assert wait_for(second_runs, 30)
    (owner,) = owner_files(rig) - before
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    ended = scheduler.wait_status("amid", TERMINAL, 60)
    assert (ended.state, ended.reason) == ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED")
    assert wait_for(lambda: owner_files(rig) == before or None, 30)
    assert [pod["name"] for pod in rig.pods()] == ["keeper"]
