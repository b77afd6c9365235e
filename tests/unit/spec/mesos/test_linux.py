"""What a Mesos task asks of Linux, its limits, its secrets and the volumes of its sandbox."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec import capabilities
from executor.spec.launch import parse_launch
from executor.spec.mesos.linux import UNLIMITED
from executor.spec.model import ContainerSpec, Limits, PodSpec, TakenText
from executor.spec.volume_model import EmptyDir, FilesVolume, FixedFile, VolumeMount
from tests.unit.pod.samples import Document, pod, scalar, task, with_image


def launched(**fields: Any) -> PodSpec:
    return parse_launch([task(**{"command": {"value": "x"}, "container": with_image()} | fields)], group=False)


def container(**fields: Any) -> ContainerSpec:
    return launched(container=with_image(**fields)).containers[0]


def refusal(**fields: Any) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        launched(**fields)
    assert "aHVudGVyMg" not in str(caught.value)
    return caught.value


def linux(**fields: Any) -> Document:
    return {"container": with_image(linux_info=fields)}


def held(one: ContainerSpec) -> set[str]:
    return set(capabilities.granted(one.security.add_capabilities, one.security.drop_capabilities))


def test_limits_of_processes() -> None:
    asked = [{"type": "RLMT_NOFILE", "soft": 1024, "hard": 4096}, {"type": "RLMT_CORE"}]
    assert container(rlimit_info={"rlimits": asked}).rlimits == (
        ("RLIMIT_NOFILE", 1024, 4096),
        ("RLIMIT_CORE", UNLIMITED, UNLIMITED),
    )
    assert container().rlimits == ()


def test_capabilities_are_those_that_are_named() -> None:
    some, more = {"capabilities": ["CHOWN"]}, {"capabilities": ["CHOWN", "NET_ADMIN"]}
    assert held(container()) == capabilities.DEFAULT
    assert held(container(linux_info={"effective_capabilities": some})) == {"CAP_CHOWN"}
    assert held(container(linux_info={"bounding_capabilities": more})) == {"CAP_CHOWN", "CAP_NET_ADMIN"}
    both = {"effective_capabilities": some, "bounding_capabilities": more}
    assert held(container(linux_info=both)) == {"CAP_CHOWN"}
    assert held(container(linux_info={"effective_capabilities": {}})) == set()


def test_confinement_and_shared_memory() -> None:
    assert container(linux_info={"seccomp": {"unconfined": True}}).security.seccomp == "Unconfined"
    found = container(linux_info={"seccomp": {"profile_name": "a.json"}, "shm_size": 128})
    assert (found.security.seccomp, found.security.seccomp_file, found.shm_bytes) == ("Localhost", "a.json", 128 << 20)
    assert (container().shm_bytes, container().tty, container(tty_info={}).tty) == (None, False, True)


def test_a_group_shares_its_processes_if_all_say_so() -> None:
    def member(name: str, *, shares: bool) -> Document:
        resources = [scalar("cpus", 0.1), scalar("mem", 32)]
        own = with_image(linux_info={"share_pid_namespace": shares})
        return task(task_id=name, name=name, resources=resources, command={"value": "x"}, container=own)

    assert parse_launch([member("a", shares=True), member("b", shares=True)], group=True).share_pids
    with pytest.raises(InvalidTask, match="all must, or none") as caught:
        parse_launch([member("a", shares=True), member("b", shares=False)], group=True)
    assert caught.value.subject == "tasks[1].container.linux_info.share_pid_namespace"


@pytest.mark.parametrize(
    ("asked", "cpus"),
    [({"cpus": {"value": 2}}, 2.0), ({"cpus": {"value": "Infinity"}}, None), ({"mem": {"value": 128}}, None)],
)
def test_limits_of_the_task(asked: Document, cpus: float | None) -> None:
    assert launched(limits=asked).containers[0].limits == Limits(cpus=cpus)


def test_a_secret_is_a_variable_or_a_file() -> None:
    secret = {"type": "VALUE", "value": {"data": base64.b64encode(b"hunter2").decode()}}
    variables = [{"name": "A", "type": "SECRET", "secret": secret}]
    found = launched(command={"value": "x", "environment": {"variables": variables}})
    assert found.containers[0].env[-1] == ("A", TakenText("hunter2", secret=True))
    volume = {"container_path": "/token", "mode": "RO", "source": {"type": "SECRET", "secret": secret}}
    found = launched(container=with_image(volumes=[volume]))
    name = found.volumes[-1].name
    assert found.volumes[-1] == FilesVolume(name, (FixedFile("secret", b"hunter2"),))
    assert found.containers[0].mounts[-1] == VolumeMount(name, "/token", read_only=True, sub_path="secret")
    assert "hunter2" not in repr(found)


def test_directories_of_the_sandbox_are_the_tasks_or_the_pods() -> None:
    def volume(kind: str, path: str) -> Document:
        source = {"type": "SANDBOX_PATH", "sandbox_path": {"type": kind, "path": path}}
        return {"container_path": f"/{kind}", "mode": "RW", "source": source}

    def member(name: str) -> Document:
        resources = [scalar("cpus", 0.1), scalar("mem", 32)]
        own = with_image(volumes=[volume("PARENT", "shared/data"), volume("SELF", "own")])
        return task(task_id=name, name=name, resources=resources, command={"value": "x"}, container=own)

    found = parse_launch([member("a"), member("b")], group=True)
    for one in found.containers:
        sandbox, shared, own = one.mounts
        assert own == VolumeMount(sandbox.volume, "/SELF", sub_path="own")
        assert EmptyDir(shared.volume) in found.volumes
    assert len(found.empty_dirs) == 1
    assert [each.container for each in found.task_sandboxes] == ["a", "b"]


SECRET = {"type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "aHVudGVyMg=!"}}}
TASK = "TaskInfo.container"
WRONG: dict[str, tuple[Document, str]] = {
    "a limit of processes that is none": (
        {"container": with_image(rlimit_info={"rlimits": [{"type": "NOFILE"}]})},
        f"{TASK}.rlimit_info.rlimits[0].type",
    ),
    "one twice": (
        {"container": with_image(rlimit_info={"rlimits": [{"type": "RLMT_CPU"}] * 2})},
        f"{TASK}.rlimit_info.rlimits[1].type",
    ),
    "half of one": (
        {"container": with_image(rlimit_info={"rlimits": [{"type": "RLMT_CPU", "soft": 1}]})},
        f"{TASK}.rlimit_info.rlimits[0].hard",
    ),
    "soft above hard": (
        {"container": with_image(rlimit_info={"rlimits": [{"type": "RLMT_CPU", "soft": 2, "hard": 1}]})},
        f"{TASK}.rlimit_info.rlimits[0].soft",
    ),
    "no capability": (
        linux(effective_capabilities={"capabilities": ["FLY"]}),
        f"{TASK}.linux_info.effective_capabilities.capabilities[0]",
    ),
    "more than bounding": (
        linux(effective_capabilities={"capabilities": ["KILL"]}, bounding_capabilities={}),
        f"{TASK}.linux_info.effective_capabilities.capabilities",
    ),
    "two profiles": (
        linux(seccomp={"unconfined": True, "profile_name": "a"}),
        f"{TASK}.linux_info.seccomp.profile_name",
    ),
    "more mem than the task's": ({"limits": {"mem": {"value": 256}}}, "TaskInfo.limits.mem"),
    "fewer cpus than the task's": ({"limits": {"cpus": {"value": 0.1}}}, "TaskInfo.limits.cpus"),
    "no amount": ({"limits": {"cpus": {"value": -1}}}, "TaskInfo.limits.cpus.value"),
    "limits of a pod": (
        {"data": task(pod())["data"], "command": None, "container": None, "limits": {}},
        "TaskInfo.limits",
    ),
    "a terminal of a pod": (
        {"data": task(pod())["data"], "command": None, "container": {"type": "MESOS", "tty_info": {}}},
        f"{TASK}.tty_info",
    ),
    "a secret that is no base64": (
        {"container": with_image(volumes=[{"container_path": "/a", "mode": "RO", "source": SECRET}])},
        f"{TASK}.volumes[0].source.secret.value.data",
    ),
    "a secret of another type": (
        {"command": {"value": "x", "environment": {"variables": [{"name": "A", "type": "SECRET"}]}}},
        "TaskInfo.command.environment.variables[0].secret",
    ),
    "a directory that leads out": (
        {
            "container": with_image(
                volumes=[
                    {
                        "container_path": "/a",
                        "mode": "RW",
                        "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "SELF", "path": "../x"}},
                    }
                ]
            )
        },
        f"{TASK}.volumes[0].source.sandbox_path.path",
    ),
}


@pytest.mark.parametrize(("fields", "subject"), WRONG.values(), ids=WRONG)
def test_what_is_refused(fields: Document, subject: str) -> None:
    assert refusal(**fields).subject == subject
