"""What a pod asks for is what it gets under a real agent: its form, its processes, its restarts, its grace."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="pods") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


SPEAKER = f"""
apiVersion: v1
kind: Pod
metadata: {{name: speaker, labels: {{tier: front}}}}
spec:
  restartPolicy: Never
  containers:
  - name: app
    image: {IMAGE}
    command: [sh, -c]
    args: ['echo "$GREETING from $NAME in $(pwd), $TIER"; echo "$0 $IP"', first]
    workingDir: /tmp
    env:
    - {{name: NAME, value: me}}
    - {{name: GREETING, value: 'hello $(NAME)'}}
    - {{name: TIER, valueFrom: {{fieldRef: {{fieldPath: "metadata.labels['tier']"}}}}}}
    - {{name: IP, valueFrom: {{fieldRef: {{fieldPath: status.podIP}}}}}}
"""


@pytest.mark.parametrize("form", ["yaml", "gzip", "json"])
def test_command_arguments_environment_and_directory(rig: Rig, scheduler: Scheduler, form: str) -> None:
    data = {"yaml": SPEAKER.encode(), "gzip": gzip.compress(SPEAKER.encode()), "json": as_json(SPEAKER)}[form]
    task = messages.task_info(form, [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)], data=data)
    scheduler.launch([task], rig.executor())
    finished = scheduler.wait_status(form, "TASK_FINISHED", 30)
    log = Path(rig.json("inspect", form)["containers"][0]["log"]["stdout"])
    (ip,) = [each["ip_address"] for each in finished.raw["container_status"]["network_infos"][0]["ip_addresses"]]
    assert log.read_text() == f"hello me from me in /tmp, front\nfirst {ip}\n"


def as_json(text: str) -> bytes:
    return json.dumps(yaml.safe_load(text)).encode()


ONCE = "[ -e /v/been ] && {again}; touch /v/been; {first}"
MEMORY = {"volumes": [{"name": "v", "emptyDir": {}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}


def restarting(rig: Rig, name: str, policy: str | None, first: str, again: str) -> dict[str, Any]:
    spec: dict[str, Any] = MEMORY if policy is None else {**MEMORY, "restartPolicy": policy}
    return rig.pod(name, command=("sh", "-c", ONCE.format(first=first, again=again)), spec=spec, container=MOUNT)


def test_restart_policies(rig: Rig, scheduler: Scheduler) -> None:
    """Each container ends once in one way and, if it is started again, in another."""
    tasks = [
        restarting(rig, "always-after-0", "Always", "exit 0", "sleep 1000"),
        restarting(rig, "always-after-1", "Always", "exit 1", "sleep 1000"),
        restarting(rig, "on-failure-after-0", "OnFailure", "exit 0", "exit 9"),
        restarting(rig, "on-failure-after-1", "OnFailure", "exit 1", "exit 0"),
        restarting(rig, "never-after-0", "Never", "exit 0", "exit 9"),
        restarting(rig, "never-after-1", "Never", "exit 1", "exit 0"),
    ]
    scheduler.launch(tasks, rig.executor())
    for name, state in (
        ("on-failure-after-0", "TASK_FINISHED"),
        ("on-failure-after-1", "TASK_FINISHED"),
        ("never-after-0", "TASK_FINISHED"),
        ("never-after-1", "TASK_FAILED"),
    ):
        scheduler.wait_status(name, state, 30)
        assert scheduler.states(name) == ["TASK_STARTING", "TASK_RUNNING", state], "a restart is no news to Mesos"
    assert "container app exited with status 1" in scheduler.wait_status("never-after-1", "TASK_FAILED").message

    def containers() -> dict[str, tuple[str, int]] | None:
        found = {task["name"]: rig.json("inspect", task["name"])["containers"][0] for task in tasks}
        states = {name: (each["state"], each["restarts"]) for name, each in found.items()}
        return states if [state for state, _ in states.values()].count("running") == 2 else None

    assert wait_for(containers, 15) == {
        "always-after-0": ("running", 1),
        "always-after-1": ("running", 1),
        "on-failure-after-0": ("exited", 0),
        "on-failure-after-1": ("exited", 1),
        "never-after-0": ("exited", 0),
        "never-after-1": ("exited", 0),
    }
    for name in ("always-after-0", "always-after-1"):
        assert scheduler.states(name) == ["TASK_STARTING", "TASK_RUNNING"]
        scheduler.kill(name, grace_s=0)
        scheduler.wait_status(name, "TASK_KILLED", 20)


def test_the_first_failure_of_several_containers_tells(rig: Rig, scheduler: Scheduler) -> None:
    containers = [
        {"name": name, "image": IMAGE, "command": ["sh", "-c", f"exit {code}"]} for name, code in (("a", 0), ("b", 5))
    ]
    scheduler.launch([rig.pod("two", spec={"containers": containers})], rig.executor())
    assert scheduler.wait_status("two", "TASK_FAILED", 30).message == "container b exited with status 5"


@pytest.mark.parametrize("described", ["by-a-pod", "by-a-task"])
def test_a_kill_without_a_policy_uses_the_tasks_own(rig: Rig, scheduler: Scheduler, described: str) -> None:
    policy = messages.kill_policy(1.0)
    task = rig.pod(described, command=STUBBORN, spec={"terminationGracePeriodSeconds": 600}, kill_policy=policy)
    executor, group = rig.executor(), described == "by-a-task"
    if group:  # only there a task has a command
        task = messages.task_info(
            described, task["resources"], command=messages.command(STUBBORN[2]), kill_policy=policy
        )
        own = [messages.scalar("cpus", 0.1), messages.scalar("mem", 64), messages.scalar("disk", 10)]
        executor = rig.executor("group", resources=own)
    scheduler.launch([task], executor, group=group)
    scheduler.wait_status(described, "TASK_RUNNING", 30)
    scheduler.kill(described)
    killing = scheduler.wait_status(described, "TASK_KILLING", 10)
    killed = scheduler.wait_status(described, "TASK_KILLED", 30)
    assert 0.9 < killed.at_s - killing.at_s < 10, "neither the pod's 600 s nor Mesos' 3 s"
    assert killed.message == "killed by the scheduler"
