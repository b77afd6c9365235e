"""Good inputs of every reader, from which others are made: shapes of real pods, and what real peers send."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any

import yaml

from tests.pods.corpus import shapes
from tests.support.referred import with_referred
from tests.unit.pod.samples import FULL_POD, full_task, pod, scalar, task, with_image
from tests.unit.pod.volume_samples import with_objects


def documents(*found: Any) -> Iterator[bytes]:
    """As JSON."""
    return (json.dumps(each).encode() for each in found)


def pods_json() -> Iterator[bytes]:
    """Every third shape of the corpus with what it names, and one pod with every field."""
    yield from documents(pod(), FULL_POD, with_objects(FULL_POD))
    yield from documents(*(with_referred(shape) for _, shape in itertools.islice(shapes(), 0, None, 3)))


def pods_yaml() -> Iterator[bytes]:
    """The same as people write them."""
    for text in itertools.islice(pods_json(), 0, None, 4):
        document = json.loads(text)
        listed = document.get("items", [document])
        yield yaml.safe_dump_all(listed).encode()
    yield b"a: &a [1]\nb: *a\n<<: {c: 0x1F, d: 1_000, e: ~, f: .inf, g: 2001-01-01, h: !!str 1}\nk: |\n  x\n"


def tasks() -> Iterator[bytes]:
    """TaskInfos: a pod in the data; a command; an image of the Mesos containerizer and one of Docker."""
    yield from documents(task(pod()), full_task(FULL_POD))
    yield from documents(*_forms())


def _forms() -> Iterator[dict[str, Any]]:
    check = {"type": "HTTP", "http": {"port": 80, "path": "/"}, "interval_seconds": 1.0, "grace_period_seconds": 2.0}
    volume: dict[str, Any] = {"mode": "RW", "container_path": "data", "source": {"type": "SANDBOX_PATH"}}
    volume["source"] |= {"sandbox_path": {"type": "SELF", "path": "data"}}
    environment = {"variables": [{"name": "A", "value": "b", "type": "VALUE"}]}
    command = {"value": "exec sleep 1", "shell": True, "user": "nobody", "environment": environment}
    yield task(command=command, kill_policy={"grace_period": {"nanoseconds": 5 * 10**9}})
    yield task(command={"shell": False, "value": "/bin/app", "arguments": ["app", "-x"]}, container=with_image())
    infos = [{"name": "net", "labels": {"labels": [{"key": "a", "value": "b"}]}, "ip_addresses": [{}]}]
    linux = {"capability_info": {"capabilities": ["NET_ADMIN"]}, "share_pid_namespace": True}
    yield task(
        command=command,
        container=with_image(volumes=[volume], network_infos=infos, linux_info=linux, hostname="h"),
        health_check=check,
        check={"type": "TCP", "tcp": {"port": 80}, "delay_seconds": 1},
        labels={"labels": [{"key": "a", "value": "b"}]},
        discovery={"visibility": "CLUSTER", "name": "web", "ports": {"ports": [{"number": 80, "name": "http"}]}},
        max_completion_time={"nanoseconds": 10**9},
    )
    docker: dict[str, Any] = {
        "image": "app:1",
        "network": "BRIDGE",
        "port_mappings": [{"host_port": 31000, "container_port": 80}],
    }
    docker |= {"parameters": [{"key": "user", "value": "1"}], "force_pull_image": False, "privileged": False}
    yield task(command={"value": "true"}, container={"type": "DOCKER", "docker": docker})


def groups() -> Iterator[bytes]:
    """Task groups."""
    forms = [{**form, "task_id": {"value": f"t{number}"}} for number, form in enumerate(_forms())]
    yield from documents({"tasks": forms[:2]}, {"tasks": forms}, forms[:1])


def executors() -> Iterator[bytes]:
    """ExecutorInfos."""
    resources = [scalar("mem", 64.0), scalar("cpus", 1.0, revocable=True)]
    command = {"value": "mesos-pod-executor", "environment": {"variables": [{"name": "A", "value": "1"}]}}
    yield from documents(
        {"type": "CUSTOM", "executor_id": {"value": "pods"}, "command": command, "resources": resources},
        {"type": "DEFAULT", "executor_id": {"value": "d"}, "container": with_image(network_infos=[{"name": "net"}])},
    )


def events() -> Iterator[bytes]:
    """One of each type."""
    identity, uid = {"value": "web.1"}, base64.b64encode(b"0123456789abcdef").decode()
    info = {"executor_id": {"value": "e"}, "resources": [scalar("mem", 64.0)]}
    subscribed = {"framework_info": {"name": "f", "user": "root"}, "agent_info": {"hostname": "h"}}
    yield from documents(
        {"type": "SUBSCRIBED", "subscribed": {**subscribed, "executor_info": info, "container_id": {"value": "c"}}},
        {"type": "LAUNCH", "launch": {"task": task(pod())}},
        {"type": "LAUNCH_GROUP", "launch_group": {"task_group": {"tasks": list(_forms())}}},
        {"type": "KILL", "kill": {"task_id": identity, "kill_policy": {"grace_period": {"nanoseconds": 1}}}},
        {"type": "MESSAGE", "message": {"data": base64.b64encode(b'{"revoke": {}}').decode()}},
        {"type": "ACKNOWLEDGED", "acknowledged": {"task_id": identity, "uuid": uid}},
        {"type": "ERROR", "error": {"message": "no"}},
        {"type": "SHUTDOWN"},
        {"type": "HEARTBEAT"},
    )


def messages() -> Iterator[bytes]:
    """Requests of frameworks."""
    select = {"tasks": ["web.1"], "roles": ["eng/dev"], "labels": {"app": "x"}}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}
    yield from documents(
        {"revoke": {"id": "r", "reason": "needed", "select": {"all": True}, "grace": 5, "deadline": 10.5}},
        {"revoke": {"select": select, "dry_run": True}},
        {"revoke": {"reclaim": {"cpus": 1.5, "mem": 64}, "grace": 0}},
        {"update": {"id": "u", "task": "web.1", "objects": [config]}},
    )


def streams() -> Iterator[bytes]:
    """RecordIO, behind the size of its pieces."""
    records = [*events()]
    for size in (0, 1, 7, 255):
        yield bytes([size]) + b"".join(b"%d\n%s" % (len(record), record) for record in records)
