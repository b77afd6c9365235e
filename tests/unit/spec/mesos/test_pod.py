"""Pods from tasks without data: a LAUNCH's one container, a LAUNCH_GROUP's several."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.names import PodClass
from executor.spec.launch import parse_launch
from executor.spec.model import Limits, PodSpec, Policy, PortMapping, RestartPolicy, TakenText, WantedNetwork
from executor.spec.volume_model import HostPath, Propagation, VolumeMount
from tests.unit.pod.samples import FULL_DOCKER_TASK, FULL_MESOS_TASK, Document, pod, scalar, task, with_image

LS, SLAVE = {"value": "ls"}, Propagation.HOST_TO_CONTAINER


def parse(*tasks: Document, group: bool = False, **policy: Any) -> PodSpec:
    return parse_launch(tasks, group=group, policy=Policy(**policy))


def refusal(*tasks: Document, group: bool = False) -> InvalidTask:
    with pytest.raises(InvalidTask) as caught:
        parse(*tasks, group=group)
    return caught.value


def member(task_id: str, **fields: Any) -> Document:
    resources = [scalar("cpus", 0.5), scalar("mem", 32)]
    return task(
        task_id=task_id, **{"name": task_id, "resources": resources, "command": LS, "container": with_image()} | fields
    )


def test_the_full_task() -> None:
    found = parse(FULL_MESOS_TASK)
    (container,) = found.containers
    assert (found.name, found.namespace, found.hostname, container.name) == ("full", "default", "front", "full")
    assert (found.restart_policy, found.termination_grace_s, found.active_deadline_s) == (RestartPolicy.NEVER, 9, None)
    assert (container.grace_s, container.deadline_s) == (9, 60)
    assert found.labels == {"tier": "front", "bare": ""}
    assert (container.command, container.args) == (("/bin/app", "--serve"), None)
    assert container.env[-2:] == (("A", "1"), ("B", TakenText("hunter2", secret=True)))
    assert (container.security.user, container.expand_variables) == ("www", False)
    assert found.volumes[1:3] == (HostPath("full-0", "/srv/data"), HostPath("full-1", "/srv/more"))
    assert container.mounts[1:3] == (
        VolumeMount("full-0", "/data", read_only=True),
        VolumeMount("full-1", "/more", propagation=SLAVE),
    )
    assert found.host_ports == (PortMapping(31002, 80, "UDP"),)
    assert [wish.name for wish in found.networks] == ["spark"]
    sent = FULL_MESOS_TASK["container"]["network_infos"]
    assert [wish.network_info for wish in found.networks] == sent


def test_a_task_of_the_docker_containerizer() -> None:
    found = parse(FULL_DOCKER_TASK)
    assert (found.containers[0].image, found.host_network) == ("app:1", False)
    assert found.host_ports == (PortMapping(31003, 81, "UDP"),)
    assert parse(task(command=LS, container={"type": "DOCKER", "docker": {"image": "x"}})).host_network


COMMANDS: list[tuple[Document | None, Any, Any]] = [
    (None, None, None),
    ({"value": "echo $(date) $$"}, ("/bin/sh", "-c", "echo $(date) $$"), None),
    ({"shell": False}, None, None),
    ({"shell": False, "arguments": ["-v"]}, None, ("-v",)),
    ({"shell": False, "value": "/bin/a"}, ("/bin/a",), None),
    ({"shell": False, "value": "/bin/a", "arguments": ["a", "-v"]}, ("/bin/a", "-v"), None),
]


@pytest.mark.parametrize(("command", "argv", "args"), COMMANDS)
def test_commands(command: Document | None, argv: Any, args: Any) -> None:
    fields: Document = {} if command is None else {"command": command}
    (container,) = parse(task(container=with_image(), **fields)).containers
    assert (container.command, container.args) == (argv, args)
    assert container.stops_group == (argv is not None and argv[0] == "/bin/sh")


def test_defaults_of_a_task() -> None:
    found = parse(task(container=with_image()))
    assert (found.termination_grace_s, found.active_deadline_s, found.host_network, found.networks) == (
        3,
        None,
        False,
        (),
    )
    assert (found.containers[0].limits, found.containers[0].requests) == (Limits(), Limits(cpus=1.5))


def test_a_group_is_one_pod_of_several_containers() -> None:
    slow = {"kill_policy": {"grace_period": {"nanoseconds": 10**10}}, "max_completion_time": {"nanoseconds": 9 * 10**9}}
    found = parse(member("a", **slow), member("b", max_completion_time={"nanoseconds": 10**9}), group=True)
    assert (found.task_ids, found.name) == (("a", "b"), "a")
    assert [(one.name, one.task_id) for one in found.containers] == [("a", "a"), ("b", "b")]
    assert [one.limits for one in found.containers] == [Limits()] * 2
    alone = with_image(linux_info={"share_cgroups": False})
    apart = parse(member("a", container=alone), member("b", container=alone), group=True)
    assert [one.limits for one in apart.containers] == [Limits(memory_bytes=32 * 2**20)] * 2
    assert (found.resources.cpus, found.resources.mem_bytes) == (1.0, 64 * 2**20)
    assert (found.termination_grace_s, found.active_deadline_s) == (10, None)
    assert [(one.grace_s, one.deadline_s) for one in found.containers] == [(10, 9), (3, 1)]


def test_one_revocable_task_makes_the_group_revocable() -> None:
    resources = [scalar("cpus", 0.5, revocable=True), scalar("mem", 32)]
    assert parse(member("a"), member("b", resources=resources), group=True).pod_class is PodClass.REVOCABLE


def test_tasks_of_one_name_get_containers_of_several() -> None:
    names = ["x", "x", "x-2", "X", "!!", "Ä", "n" * 70, "n" * 70]
    tasks = [member(f"t{number}", name=name) for number, name in enumerate(names)]
    found = [one.name for one in parse(*tasks, group=True).containers]
    assert len(set(found)) == len(names)
    assert all(name == name.lower() and 0 < len(name) <= 63 for name in found)
    assert found[0] == "x"


WRONG: list[tuple[str, str, list[Document]]] = [
    ("tasks[1].data", "one container", [member("a"), task(pod(), task_id="b")]),
    ("tasks[1].task_id", "twice", [member("a"), member("a")]),
    ("tasks[0].command.value", "missing", [member("a", command={})]),
    ("tasks[0].resources", "mem is 1048576", [member("a", resources=[scalar("mem", 1)]), member("b")]),
    ("tasks[].resources", "roles", [member("a"), member("b", resources=[scalar("mem", 32, role="x")])]),
    ("tasks[0].health_check.type", "missing", [member("a", health_check={})]),
    (
        "tasks[1].container.network_infos",
        "differ",
        [
            member("a", container=with_image(network_infos=[{"name": "m"}])),
            member("b", container=with_image(network_infos=[{"name": "n"}])),
        ],
    ),
]


@pytest.mark.parametrize(("subject", "words", "tasks"), WRONG, ids=[subject for subject, _, _ in WRONG])
def test_a_bad_group_names_task_and_field(subject: str, words: str, tasks: list[Document]) -> None:
    error = refusal(*tasks, group=True)
    assert words in error.message
    assert error.subject == subject


def docker(**fields: Any) -> Document:
    return {"container": {"type": "DOCKER", "docker": {"image": "x", **fields}}}


def volume(**fields: Any) -> Document:
    return {"container": with_image(volumes=[{"container_path": "/data", "mode": "RW", **fields}])}


SINGLE: list[tuple[str, str, Document]] = [
    ("TaskInfo.container.docker.network", "NONE", docker(network="NONE")),
    (
        "TaskInfo.container.docker.port_mappings[0].host_port",
        "port 1 ",
        docker(port_mappings=[{"host_port": 1, "container_port": 1}]),
    ),
    (
        "TaskInfo.container.docker.port_mappings[0].protocol",
        "sctp",
        docker(port_mappings=[{"host_port": 31000, "container_port": 1, "protocol": "sctp"}]),
    ),
    ("TaskInfo.container.volumes[0].host_path", "absolute", volume(host_path="data")),
    ("TaskInfo.container.volumes[0]", "no source", volume()),
    ("TaskInfo.container.volumes[0].source.type", "DOCKER_VOLUME", volume(source={"type": "DOCKER_VOLUME"})),
    ("TaskInfo.container.volumes[0].source", "needs sandbox_path", volume(source={"type": "SANDBOX_PATH"})),
    (
        "TaskInfo.container.mesos.image.type",
        "APPC",
        {"container": {"type": "MESOS", "mesos": {"image": {"type": "APPC"}}}},
    ),
    (
        "TaskInfo.container.mesos.image.docker",
        "missing",
        {"container": {"type": "MESOS", "mesos": {"image": {"type": "DOCKER"}}}},
    ),
    ("TaskInfo.container.type", "VM", {"container": {"type": "VM"}}),
    ("TaskInfo.container.hostname", "DNS label", {"container": with_image(hostname="a b")}),
    ("TaskInfo.kill_policy.grace_period.nanoseconds", ">= 0", {"kill_policy": {"grace_period": {"nanoseconds": -1}}}),
    ("TaskInfo.resources", "missing", {"resources": None}),
    ("TaskInfo.task_id.value", "length >= 1", {"task_id": {"value": ""}}),
]


@pytest.mark.parametrize(("subject", "words", "fields"), SINGLE, ids=[subject for subject, _, _ in SINGLE])
def test_a_bad_task_names_its_field(subject: str, words: str, fields: Document) -> None:
    error = refusal({**task(command=LS, container=with_image()), **fields})
    assert error.subject == subject
    assert words in error.message


def test_a_nodes_network_and_a_named_one_exclude_each_other() -> None:
    container = {"type": "DOCKER", "docker": {"image": "x"}, "network_infos": [{"name": "n"}]}
    assert refusal(task(command=LS, container=container)).subject == "TaskInfo.container.network_infos"
    container["docker"] = {"image": "x", "network": "USER"}
    assert parse(task(command=LS, container=container)).networks == (WantedNetwork("n", {"name": "n"}),)


def test_every_fault_of_a_group_is_named() -> None:
    tasks = [{**FULL_MESOS_TASK, "task_id": {"value": name}} for name in "ab"]
    for one in tasks:
        one["command"] = {"shell": True}
        one["container"] = {**one["container"], "hostname": "A"}
    with pytest.raises(InvalidTask) as caught:
        parse_launch(tasks, group=True)
    assert [fault.subject for fault in caught.value.faults] == [
        "tasks[0].command.value",
        "tasks[1].command.value",
        "tasks[0].container",  # the same port of the node twice
        "tasks[0].container.hostname",
    ]
