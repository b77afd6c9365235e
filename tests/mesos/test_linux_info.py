"""A group of Mesos tasks that asks of Linux what their messages can: what its containers find."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SECRET = {"type": "VALUE", "value": {"data": base64.b64encode(b"hunter2").decode()}}
WRITES = """
echo found >/shared/by-another
ulimit -Sn; ulimit -Hn; ulimit -c
sed -n 's/^CapBnd:.*\\(....\\)$/\\1/p' /proc/self/status
df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2
echo $TOKEN; cat /token
test -t 1 && echo terminal
cat /proc/1/comm
until test -e /shared/read; do sleep 0.1; done
"""
READS = """
until test -e /shared/by-another; do sleep 0.1; done
cat /shared/by-another
test -e /own/by-another || echo 'nothing there'
cat /proc/1/comm
echo >/shared/read
"""


def task(name: str, script: str, *, volumes: list[dict[str, Any]], **container: Any) -> dict[str, Any]:
    image = {"image": {"type": "DOCKER", "docker": {"name": IMAGE}}}
    linux = {"share_pid_namespace": True, **container.pop("linux_info", {})}
    info = {"type": "MESOS", "mesos": image, "volumes": volumes, "linux_info": linux, **container}
    variables = [{"name": "TOKEN", "type": "SECRET", "secret": SECRET}]
    command = {"value": script, "environment": {"variables": variables}}
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)]
    return messages.task_info(name, resources, command=command, container=info)


def volume(path: str, mode: str = "RW", **source: Any) -> dict[str, Any]:
    return {"container_path": path, "mode": mode, "source": source}


def sandbox(kind: str, path: str) -> dict[str, Any]:
    return {"type": "SANDBOX_PATH", "sandbox_path": {"type": kind, "path": path}}


def test_a_group_with_all_of_it(rig: Rig, scheduler: Scheduler) -> None:
    shared = volume("/shared", **sandbox("PARENT", "exchange"))
    writes = task(
        "writes",
        WRITES,
        volumes=[shared, volume("/token", "RO", type="SECRET", secret=SECRET)],
        rlimit_info={
            "rlimits": [{"type": "RLMT_NOFILE", "soft": 512, "hard": 1024}, {"type": "RLMT_CORE", "soft": 0, "hard": 0}]
        },
        linux_info={"effective_capabilities": {"capabilities": ["CHOWN"]}, "shm_size": 128},
        tty_info={},
    )
    reads = task("reads", READS, volumes=[shared, volume("/own", **sandbox("SELF", "exchange"))])
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 128), messages.scalar("disk", 32)]
    scheduler.launch([writes, reads], rig.executor("group", resources=resources), group=True)
    for name in ("writes", "reads"):
        scheduler.wait_status(name, "TASK_FINISHED", 60)
    logs = scheduler_logs(rig, scheduler)
    assert logs["writes"] == ["512", "1024", "0", "0001", "131072", "hunter2", "hunter2terminal", "pod-pids"]
    assert logs["reads"] == ["found", "nothing there", "pod-pids"]
    assert b"hunter2" not in (rig.containerd.directory / "root/io.containerd.metadata.v1.bolt/meta.db").read_bytes()


def test_the_stop_signal_reaches_the_command_of_a_shell(rig: Rig, scheduler: Scheduler) -> None:
    """The shell waits for it, and as process 1 takes no note of a signal itself."""
    waits = task("waits", "sleep 600 && true", volumes=[], linux_info={"share_pid_namespace": False})
    waits["kill_policy"] = messages.kill_policy(60)
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", 128), messages.scalar("disk", 32)]
    scheduler.launch([waits], rig.executor("shell", resources=resources), group=True)
    scheduler.wait_status("waits", "TASK_RUNNING", 30)
    scheduler.kill("waits")
    scheduler.wait_status("waits", "TASK_KILLED", 20)


def scheduler_logs(rig: Rig, scheduler: Scheduler) -> dict[str, list[str]]:
    """What the containers of the group's only pod printed."""
    (pod,) = (rig.agent.sandbox(scheduler.framework_id, "group") / "pods").iterdir()
    paths: list[Path] = sorted(pod.glob("*.stdout"))
    return {path.stem: path.read_text().replace("\r", "").splitlines() for path in paths}
