"""The sandbox of a task: what is mounted in it, what its variables say of it, and what is fetched into it."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.names import TaskId
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, RuntimeField
from executor.spec.volume_model import ClaimedVolume, HostPath, TaskSandbox, Uri, VolumeMount
from tests.unit.pod.samples import Document, scalar, task, with_image

SANDBOX = "/mnt/mesos/sandbox"
DISK = {
    **scalar("disk", 64),
    "disk": {"persistence": {"id": "data-1"}, "volume": {"container_path": "data", "mode": "RW"}},
}


def member(*uris: Document, **fields: Any) -> Document:
    resources = fields.pop("resources", [scalar("cpus", 0.1, role="web"), scalar("mem", 32, role="web")])
    command = {"value": "ls", "uris": list(uris)}
    return task(
        **{"task_id": "a.1", "name": "a", "resources": resources, "command": command, "container": with_image()}
        | fields
    )


def launched(*uris: Document, group: bool = True, **fields: Any) -> PodSpec:
    return parse_launch([member(*uris, **fields)], group=group)


def test_a_task_starts_in_its_sandbox() -> None:
    found = launched()
    (one,) = found.containers
    assert found.volumes == (TaskSandbox("a-sandbox", "a", TaskId("a.1")),)
    assert one.mounts == (VolumeMount("a-sandbox", SANDBOX),) and one.default_dir == SANDBOX


def test_a_task_of_a_group_knows_its_sandbox_its_role_and_its_address() -> None:
    assert dict(launched().containers[0].env) == {
        "MESOS_SANDBOX": SANDBOX,
        "MESOS_ALLOCATION_ROLE": "web",
        "MESOS_CONTAINER_IP": RuntimeField("status.podIP", optional=True),
    }
    assert dict(launched(group=False).containers[0].env) == {"MESOS_SANDBOX": SANDBOX}


def test_a_persistent_volume_of_a_task_is_in_its_sandbox() -> None:
    found = launched(resources=[scalar("cpus", 0.1), scalar("mem", 32), DISK])
    assert ClaimedVolume("a-claim-0", "data-1", "data") in found.volumes
    assert VolumeMount("a-claim-0", f"{SANDBOX}/data") in found.containers[0].mounts


def test_a_relative_container_path_is_in_the_sandbox() -> None:
    volume = {"container_path": "in/here", "mode": "RO", "host_path": "/srv"}
    found = launched(container=with_image(volumes=[volume]))
    assert found.containers[0].mounts[-1] == VolumeMount("a-0", f"{SANDBOX}/in/here", read_only=True)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"value": "http://h/a/b.tar.gz"}, Uri("http://h/a/b.tar.gz", "b.tar.gz")),
        ({"value": " https://h/b?x=1"}, Uri("https://h/b?x=1", "b?x=1")),
        ({"value": "http://h/b", "output_file": "bin/c"}, Uri("http://h/b", "bin/c")),
        ({"value": "http://h/b", "executable": True}, Uri("http://h/b", "b", executable=True)),
        ({"value": "http://h/b.zip", "extract": False}, Uri("http://h/b.zip", "b.zip", extract=False)),
    ],
)
def test_what_is_fetched_and_where(given: Document, wanted: Uri) -> None:
    assert launched(given).containers[0].uris == (wanted,)


@pytest.mark.parametrize("value", ["/opt/app.tar", "file:///opt/app.tar", "file://localhost/opt/app.tar"])
def test_a_file_of_the_node_is_a_host_path_for_the_policy(value: str) -> None:
    found = launched({"value": value})
    (uri,) = found.containers[0].uris
    assert (uri.name, uri.volume) == ("app.tar", "a-uri-0")
    assert found.host_paths == (HostPath("a-uri-0", "/opt/app.tar", "File"),)
    assert found.host_paths[0].field == "tasks[0].command.uris[0].value"


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"value": "hdfs://h/a"}, "value", "cannot be fetched here"),
        ({"value": "ftp://h/a"}, "value", "cannot be fetched here"),
        ({"value": "http://h"}, "value", "has no path"),
        ({"value": "http://h/"}, "value", "has no path"),
        ({"value": "http://h/a/"}, "value", "not a relative path"),
        ({"value": "lib/app.tar"}, "value", "no absolute path"),
        ({"value": "/opt/../etc/shadow"}, "value", ".."),
        ({"value": "http://h/a'b"}, "value", "quote"),
        ({"value": "http://h/.."}, "value", ".."),
        ({"value": "http://h/a", "output_file": "../a"}, "output_file", ".."),
        ({"value": "http://h/a", "output_file": "/a"}, "output_file", "not a relative path"),
        ({"value": "http://h/a", "output_file": "."}, "output_file", "names no file"),
    ],
)
def test_what_cannot_be_fetched_is_refused(given: Document, field: str, words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        launched({"value": "http://h/good"}, given)
    assert caught.value.subject == f"tasks[0].command.uris[1].{field}"


def test_every_faulty_uri_is_named() -> None:
    with pytest.raises(InvalidTask) as caught:
        launched({"value": "hdfs://h/a"}, {"value": "s3://h/a"})
    assert [each.subject for each in caught.value.faults] == [f"tasks[0].command.uris[{n}].value" for n in (0, 1)]
