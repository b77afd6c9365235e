"""Users by name and by number, of the image, the pod and the task, under a real agent: whom the processes run as."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from executor.containerd import Containerd
from executor.images.store import ImageStore
from tests.support.images import ImageSpec, write_archive
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import NAMESPACE, SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/:\n2000:x:0:0::/:\n"
GROUP = b"root:x:0:\napp:x:1001:\nextra:x:1002:other,app\nwheel:x:10:root\nstaff:x:50:\n"
FILES = {"etc/passwd": PASSWD, "etc/group": GROUP}
WHO = ["sh", "-c", "echo $(id -u) $(id -g) $(grep ^Groups: /proc/self/status)"]
HINT = "give numbers: runAsUser and runAsGroup, or the task's command.user as uid:gid"
FAR = "../" * 40  # to the node's root, for whoever follows it there


@dataclass(frozen=True)
class Case:
    """`who` is what the process tells: uid, gid, supplementary groups."""

    user: str
    who: str
    security: Mapping[str, Any] = field(default_factory=dict)
    """The security context of the pod."""


CASES = {
    "nobody-in-particular": Case("", "0 0 0 10"),
    "by-name": Case("app", "1000 1001 1001 1002"),
    "by-name-and-group": Case("app:staff", "1000 50 50"),
    "by-number": Case("1000", "1000 1001 1001 1002"),
    "by-unknown-number": Case("1234", "1234 0 0"),
    "by-two-numbers": Case("1000:7", "1000 7 7"),
    "a-name-like-a-number": Case("2000", "2000 0 0"),
    "run-as-user": Case("", "1000 1001 1001 1002", {"runAsUser": 1000}),
    "run-as-another-user": Case("app:staff", "4 0 0", {"runAsUser": 4}),
    "run-as-a-name-like-a-number": Case("app", "2000 0 0", {"runAsUser": 2000}),
    "run-as-user-and-group": Case("app", "1000 9 9 1002", {"runAsUser": 1000, "runAsGroup": 9}),
    "run-as-group": Case("app", "1000 9 9 1002", {"runAsGroup": 9}),
    "more-groups": Case("app", "1000 1001 77 1001 1002", {"supplementalGroups": [77]}),
    "non-root": Case("app", "1000 1001 1001 1002", {"runAsNonRoot": True}),
}
UNKNOWN = {
    "an-unknown-user": ImageSpec("docker.io/library/unknown-user:test", user="nobody", files=FILES),
    "an-unknown-group": ImageSpec("docker.io/library/unknown-group:test", user="app:nobody", files=FILES),
    "no-file": ImageSpec("docker.io/library/no-file:test", user="app", links={"etc/passwd": f"{FAR}proc/1/status"}),
}
PROBLEMS = {
    "an-unknown-user": f"container app: the user 'nobody' is not in the image's /etc/passwd ({HINT})",
    "an-unknown-group": f"container app: the group 'nobody' is not in the image's /etc/group ({HINT})",
    "no-file": f"container app: the user 'app' is a name, and the image has no /etc/passwd ({HINT})",
}


def image(user: str) -> ImageSpec:
    return ImageSpec(f"docker.io/library/user-{user.replace(':', '-') or 'none'}:test", user=user, files=FILES)


@pytest.fixture(scope="module", autouse=True)
def images(rig: Rig) -> None:
    wanted = [*(image(user) for user in {case.user for case in CASES.values()}), *UNKNOWN.values()]
    archive = write_archive(rig.directory / "users.tar", *wanted)

    async def act() -> None:
        async with await Containerd.connect(rig.containerd.address, NAMESPACE) as client:
            await ImageStore(client).import_archive(archive)

    asyncio.run(act())


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="users") as framework:
        framework.launch([rig.pod("keeper", container={"image": image("app").name})], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.fixture(scope="module")
def told(rig: Rig, scheduler: Scheduler) -> dict[str, str]:
    """What the process of each case tells; all are launched at once."""
    pods = [
        rig.pod(name, command=WHO, container={"image": image(case.user).name}, spec={"securityContext": case.security})
        for name, case in CASES.items()
    ]
    scheduler.launch(pods, rig.executor())
    return {name: output(rig, scheduler, name) for name in CASES}


def output(rig: Rig, scheduler: Scheduler, name: str) -> str:
    end = scheduler.wait_status(name, TERMINAL, 60)
    assert end.state == "TASK_FINISHED", end.message
    return Path(rig.json("inspect", name)["containers"][0]["log"]["stdout"]).read_text()


@pytest.mark.parametrize("name", CASES)
def test_whom_a_process_runs_as(told: dict[str, str], name: str) -> None:
    assert told[name].replace("Groups:", "").split() == CASES[name].who.split()


@pytest.mark.parametrize(
    ("user", "who"), [("app", "1000 1001 1001 1002"), ("app:staff", "1000 50 50"), ("4:5", "4 5 5")]
)
def test_the_user_of_a_task(rig: Rig, scheduler: Scheduler, user: str, who: str) -> None:
    name = f"task-{user.replace(':', '-')}"
    own = [messages.scalar("cpus", 0.1), messages.scalar("mem", 64), messages.scalar("disk", 10)]
    docker = {"type": "DOCKER", "docker": {"name": image("1234").name}}
    task = messages.task_info(
        name,
        [messages.scalar("cpus", 0.1), messages.scalar("mem", 32)],
        command=messages.command(WHO[2], user=user),
        container={"type": "MESOS", "mesos": {"image": docker}},
    )
    scheduler.launch([task], rig.executor(name, resources=own), group=True)
    end = scheduler.wait_status(name, TERMINAL, 60)
    assert end.state == "TASK_FINISHED", end.message
    (log,) = rig.agent.sandbox(scheduler.framework_id, name).glob("pods/*/*.stdout")
    assert log.read_text().replace("Groups:", "").split() == who.split()


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_name_that_the_image_does_not_know(rig: Rig, scheduler: Scheduler, name: str) -> None:
    scheduler.launch([rig.pod(name, command=SLEEP, container={"image": UNKNOWN[name].name})], rig.executor())
    end = scheduler.wait_status(name, TERMINAL, 60)
    assert (end.state, end.message) == ("TASK_FAILED", PROBLEMS[name])


def test_a_further_command_has_the_same_user(rig: Rig, scheduler: Scheduler) -> None:
    done = rig.command("exec", "keeper", "--", *WHO)
    assert done.stdout.replace("Groups:", "").split() == ["1000", "1001", "1001", "1002"]


def test_no_mount_is_left(rig: Rig, scheduler: Scheduler, told: dict[str, str]) -> None:
    """Seen from the node: the root file systems of what runs, and nothing else."""

    def only_what_runs() -> bool | None:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        overlays = [line for line in lines if line.split()[2] == "overlay" and str(rig.containerd.directory) in line]
        return True if len(overlays) == len([pod for pod in rig.pods() if pod["state"] == "running"]) else None

    assert wait_for(only_what_runs, 15), Path("/proc/self/mounts").read_text()
