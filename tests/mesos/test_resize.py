"""Containers that run get other amounts of cpu and memory: what the kernel says of their groups."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]
NUMBERS = itertools.count()
SCRIPT = "trap 'exit 1' TERM; echo up; while :; do sleep 0.1; done"


SLOW = """#!/bin/sh
for word; do [ "$word" = create ] && {{ touch {made}; sleep 1.5; break; }}; done
exec {runc} "$@"
"""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Is there once runc was asked to make a container."""
    return tmp_path / "made"


@pytest.fixture
def slow(made: Path) -> Iterator[Rig]:
    """A node whose runc waits before it makes a container."""
    program = made.parent / "slow-runc"
    program.write_text(SLOW.format(made=made, runc=shutil.which("runc")))
    program.chmod(0o755)
    with Rig(config={"CONTAINERD_RUNTIME": str(program)}) as node:
        yield node


def asked(rig: Rig, scheduler: Scheduler, task: str, **containers: Any) -> dict[str, Any]:
    """What the executor answers to a resize."""
    identity = f"r-{next(NUMBERS)}"
    request = {"resize": {"id": identity, "task": task, "containers": containers}}
    scheduler.message(rig.agent.agent_id, "mixed", json.dumps(request).encode())

    def answer() -> dict[str, Any] | None:
        found = [json.loads(data) for data in scheduler.messages()]
        return next((each for each in found if identity in (body["id"] for body in each.values())), None)

    found = wait_for(answer, 10)
    assert found is not None, scheduler.messages()
    return found


def group(rig: Rig, name: str) -> dict[str, str]:
    """The controllers' files of the container's group."""
    pid = rig.json("inspect", name)["containers"][0]["pid"]
    paths = dict(line.split(":")[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    files = {"memory": "memory.limit_in_bytes", "cpu": "cpu.cfs_quota_us"}
    found = {key: Path(f"/sys/fs/cgroup/{key}{paths[key]}/{file}").read_text().strip() for key, file in files.items()}
    return found | {"shares": Path(f"/sys/fs/cgroup/cpu{paths['cpu']}/cpu.shares").read_text().strip()}


def launch(rig: Rig, scheduler: Scheduler, name: str, script: str = SCRIPT, **spec: Any) -> None:
    resources = {"limits": {"cpu": "50m", "memory": "16Mi"}}
    container = {"resources": resources, "command": ["sh", "-c", script]}
    scheduler.launch([rig.pod(name, cpus=0.5, mem=64, container=container, spec=spec)], rig.executor())
    scheduler.wait_status(name, "TASK_RUNNING", 30)


def test_a_container_has_other_amounts_and_keeps_them_over_a_restart(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "grows", restartPolicy="Always", terminationGracePeriodSeconds=0)
    assert group(rig, "grows") == {"memory": str(16 << 20), "cpu": "5000", "shares": "51"}
    pid = rig.json("inspect", "grows")["containers"][0]["pid"]
    answer = asked(
        rig, scheduler, "grows", app={"limits": {"cpu": "400m", "memory": "48Mi"}, "requests": {"cpu": "200m"}}
    )
    assert answer["resized"]["containers"] == ["app"]
    grown = {"memory": str(48 << 20), "cpu": "40000", "shares": "205"}
    assert group(rig, "grows") == grown
    (container,) = rig.json("inspect", "grows")["containers"]
    assert (container["pid"], container["limits"]["mem_bytes"]) == (pid, 48 << 20), "it goes on"

    rig.command("exec", "grows", "--", "kill", "-TERM", "1")
    assert wait_for(lambda: rig.json("inspect", "grows")["containers"][0]["pid"] not in (pid, None) or None, 20)
    assert group(rig, "grows") == grown | {"shares": "204"}
    codes = [each["code"] for each in rig.journal("mixed", scheduler)]
    assert codes.count("pod.resized") == 1


def test_what_does_not_fit_changes_nothing(rig: Rig, scheduler: Scheduler) -> None:
    launch(rig, scheduler, "holds", script="head -c 9000000 /dev/zero | tail -c 9000000 | (sleep 1000; cat) ")
    before = group(rig, "holds")
    answer = asked(rig, scheduler, "holds", app={"limits": {"memory": "100Mi"}})
    assert "task's mem" in answer["error"]["message"]
    answer = asked(rig, scheduler, "nobody", app={"limits": {"memory": "8Mi"}})
    assert "has no pod that runs" in answer["error"]["message"]
    assert wait_for(lambda: _used_bytes(rig, "holds") > 6 << 20 or None, 20)
    answer = asked(rig, scheduler, "holds", app={"limits": {"memory": "4Mi", "cpu": "100m"}})
    assert "do not fit into" in answer["error"]["message"]
    assert group(rig, "holds") == before


def test_a_refused_container_leaves_the_others_as_they_were(rig: Rig, scheduler: Scheduler) -> None:
    """The first one of the request could have its amounts, and the second one could not."""
    script = "head -c 9000000 /dev/zero | tail -c 9000000 | (sleep 1000; cat)"
    resources = {"limits": {"cpu": "50m", "memory": "16Mi"}}
    full = {"name": "full", "image": IMAGE, "command": ["sh", "-c", script], "resources": resources}
    app = {**full, "name": "app", "command": ["sh", "-c", SCRIPT]}
    scheduler.launch([rig.pod("two", cpus=0.5, mem=64, spec={"containers": [app, full]})], rig.executor())
    scheduler.wait_status("two", "TASK_RUNNING", 30)
    before = group(rig, "two")
    assert wait_for(lambda: _used_bytes(rig, "two", 1) > 6 << 20 or None, 20)
    answer = asked(rig, scheduler, "two", app={"limits": {"memory": "32Mi"}}, full={"limits": {"memory": "4Mi"}})
    assert "do not fit into" in answer["error"]["message"]
    assert group(rig, "two") == before


def test_a_container_that_is_just_being_made_has_the_new_amounts(slow: Rig, made: Path) -> None:
    """The request comes after its document was made, and before runc makes its group."""
    with slow.scheduler(name="slow") as scheduler:
        container = {"resources": {"limits": {"cpu": "50m", "memory": "16Mi"}}, "command": ["sh", "-c", SCRIPT]}
        scheduler.launch([slow.pod("starts", cpus=0.5, mem=64, container=container)], slow.executor())
        assert wait_for(lambda: made.exists() or None, 30)
        answer = asked(slow, scheduler, "starts", app={"limits": {"cpu": "400m", "memory": "48Mi"}})
        assert answer["resized"]["containers"] == ["app"]
        assert not scheduler.states("starts").count("TASK_RUNNING"), "the request came too late to mean anything"
        scheduler.wait_status("starts", "TASK_RUNNING", 30)
        found = group(slow, "starts")
        assert (found["memory"], found["cpu"]) == (str(48 << 20), "40000")
        (shown,) = slow.json("inspect", "starts")["containers"]
        assert shown["limits"]["mem_bytes"] == 48 << 20


def test_a_pod_that_is_being_revoked_is_resized_no_more(rig: Rig, scheduler: Scheduler) -> None:
    """During the grace that its revocation gives it."""
    container = {
        "resources": {"limits": {"cpu": "50m", "memory": "16Mi"}},
        "command": ["sh", "-c", "trap 'sleep 3; exit 0' TERM; while :; do sleep 0.1; done"],
    }
    scheduler.launch([rig.pod("lent", cpus=0.5, mem=64, container=container, revocable=True)], rig.executor())
    scheduler.wait_status("lent", "TASK_RUNNING", 30)
    before, start = group(rig, "lent")["memory"], scheduler.mark()
    request = {"revoke": {"id": "by-test", "select": {"all": True}, "grace": "10s"}}
    scheduler.message(rig.agent.agent_id, "mixed", json.dumps(request).encode())
    answer = asked(rig, scheduler, "lent", app={"limits": {"memory": "48Mi"}})
    assert "has no pod that runs" in answer["error"]["message"]
    assert group(rig, "lent")["memory"] == before
    scheduler.wait_status("lent", "TASK_GONE", 30, start=start)


def _used_bytes(rig: Rig, name: str, number: int = 0) -> int:
    pid = rig.json("inspect", name)["containers"][number]["pid"]
    paths = dict(line.split(":")[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    return int(Path(f"/sys/fs/cgroup/memory{paths['memory']}/memory.usage_in_bytes").read_text())
