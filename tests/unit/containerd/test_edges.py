"""The small pure pieces: errors, filters, conversions, streams, the shim's group, decoded events."""

from __future__ import annotations

import importlib
import json
import pkgutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from executor.containerd import convert, events
from executor.containerd.api import events_pb2, task_events_pb2
from executor.containerd.containers import with_shim_group
from executor.containerd.errors import AlreadyExists, translate
from executor.containerd.tasks import _streams
from executor.containerd.types import TaskDelete, TaskExit, TaskOom, TaskStart
from executor.errors import ContainerdFailure, ContainerdUnavailable, ExecutorError, NotFound


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NOT_FOUND", NotFound),
        ("ALREADY_EXISTS", AlreadyExists),
        ("UNAVAILABLE", ContainerdUnavailable),
        ("DEADLINE_EXCEEDED", ContainerdUnavailable),
        ("CANCELLED", ContainerdUnavailable),
        ("UNKNOWN", ContainerdFailure),
        ("FAILED_PRECONDITION", ContainerdFailure),
        ("RESOURCE_EXHAUSTED", ContainerdFailure),
    ],
)
def test_codes_become_classes(code: str, kind: type[ExecutorError]) -> None:
    error = translate(
        code, "it went wrong: unknown", method="tasks.v1.Tasks/Get", subject="pod-1", socket="/run/c.sock"
    )

    assert type(error) is kind
    assert str(error).startswith("pod-1: tasks.v1.Tasks/Get: ")
    assert not error.message.endswith("unknown")
    assert ("/run/c.sock" in str(error)) == (kind is ContainerdUnavailable)


def test_an_error_without_words_still_says_something() -> None:
    assert "permission denied" in str(translate("PERMISSION_DENIED", "", method="m", subject="", socket="/s"))


def test_filters_quote_what_could_be_syntax() -> None:
    assert convert.label_filter({}) == []
    assert convert.label_filter({"b": "", "a": 'x",y"'}) == ['labels."a"=="x\\",y\\"",labels."b"']
    assert events.filters("ns", ["/tasks/exit", "/x"]) == [
        'namespace=="ns",topic=="/tasks/exit"',
        'namespace=="ns",topic=="/x"',
    ]


def test_unset_times_are_none() -> None:
    assert convert.when(Timestamp()) is None
    assert convert.when(Timestamp(seconds=-62135596800)) is None  # Go's zero time
    assert convert.when(Timestamp(seconds=1, nanos=5000)) == datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)


def test_the_shim_takes_no_stream_or_both() -> None:
    out = Path("/o")
    assert _streams(stdout=None, stderr=None) == {"stdin": "", "stdout": "", "stderr": ""}
    assert _streams(stdout=out, stderr=None) == {"stdin": "", "stdout": "/o", "stderr": "/dev/null"}
    assert _streams(stdout=None, stderr=out) == {"stdin": "", "stdout": "/dev/null", "stderr": "/o"}
    terminal = _streams(stdout=out, stderr=None, stdin=Path("/i"), terminal=True)
    assert terminal == {"stdin": "/i", "stdout": "/o", "stderr": ""}
    with pytest.raises(ContainerdFailure, match="file:/x"):
        _streams(stdout=Path("file:///x"), stderr=None)
    with pytest.raises(ContainerdFailure, match=r"/50%off/x.*symbolic link"):
        _streams(stdout=Path("/50%off/x"), stderr=None)
    assert _streams(stdout=Path("/a%41?#: ü"), stderr=None)["stdout"] == "/a%41?#: ü"


def test_a_shim_group_is_an_annotation_beside_the_others() -> None:
    spec: dict[str, object] = {"root": {}, "annotations": {"a": "b"}}
    grouped = {"root": {}, "annotations": {"a": "b", "io.containerd.runc.v2.group": "pod-1"}}

    assert with_shim_group(spec, "pod-1") == grouped
    assert with_shim_group(json.dumps(spec).encode(), "pod-1") == grouped
    assert with_shim_group(spec, "") is spec
    assert spec["annotations"] == {"a": "b"}


def envelope(topic: str, message: Message) -> events_pb2.Envelope:
    return events_pb2.Envelope(topic=topic, event=AnyMessage(value=message.SerializeToString()))


def test_events_are_decoded_by_topic() -> None:
    pb, moment = task_events_pb2, Timestamp(seconds=7)
    when = datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC)
    exited = pb.TaskExit(container_id="c", id="c", pid=3, exit_status=137, exited_at=moment)
    deleted = pb.TaskDelete(container_id="c", id="e", pid=3, exit_status=1, exited_at=moment)

    assert events.decode(envelope("/tasks/exit", exited)) == TaskExit("c", "", 3, 137, when)
    assert events.decode(envelope("/tasks/delete", deleted)) == TaskDelete("c", "e", 3, 1, when)
    assert events.decode(envelope("/tasks/oom", pb.TaskOOM(container_id="c"))) == TaskOom("c")
    assert events.decode(envelope("/tasks/start", pb.TaskStart(container_id="c", pid=3))) == TaskStart("c", "", 3)
    started = pb.TaskExecStarted(container_id="c", exec_id="e", pid=3)
    assert events.decode(envelope("/tasks/exec-started", started)) == TaskStart("c", "e", 3)
    assert events.decode(envelope("/mesos-pod-executor/subscribed/1", exited)) is None
    assert {*events._DECODERS} == {*events.Topic}


def test_no_message_of_ours_can_clash_with_another_client_s() -> None:
    api = importlib.import_module("executor.containerd.api")
    names = [f"{api.__name__}.{found.name}" for found in pkgutil.iter_modules(api.__path__)]
    files = [importlib.import_module(name).DESCRIPTOR for name in names]

    assert len(files) > 10
    assert all(file.package.startswith("mesos_pod_executor.") for file in files)
    assert all(file.name.startswith("executor/containerd/api/") for file in files)
