"""Logs in the format of the CRI, of real containers: what collectors of Kubernetes read, and what `logs` prints."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

LIMIT_BYTES = 1 << 20
ENTRY = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (?:stdout|stderr) ([FP]) ([^\n]*)\n")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    config = {"PODS_LOG_MAX_BYTES": str(LIMIT_BYTES), "PODS_LOG_FILES": "9", "PODS_LOG_FORMAT": "cri"}
    with Rig(config=config) as node:
        yield node


def run(rig: Rig, scheduler: Scheduler, name: str, script: str, **pod: Any) -> str:
    """The message of its end. Another pod keeps the executor."""
    keeper = rig.pod(f"keeper-{name}")
    scheduler.launch([keeper, rig.pod(name, command=("sh", "-c", script), **pod)], rig.executor())
    state = "TASK_FAILED" if "exit 1" in script else "TASK_FINISHED"
    return str(scheduler.wait_status(name, state, 60).message)


def entries(rig: Rig, scheduler: Scheduler, name: str, stream: str = "stdout") -> list[tuple[bytes, bytes]]:
    """Tag and content of each, from all files; each file has whole ones only."""
    (identity,) = [pod["pod"] for pod in rig.json("ps", "--all")["pods"] if pod["name"] == name]
    path = rig.agent.sandbox(scheduler.framework_id, "mixed") / "pods" / identity / f"app.{stream}"
    older = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: -int(each.suffix[1:]))
    texts = [each.read_bytes() for each in (*older, path)]
    assert [ENTRY.sub(b"", text) for text in texts] == [b""] * len(texts)
    assert all(len(text) <= LIMIT_BYTES for text in texts)
    return [entry for text in texts for entry in ENTRY.findall(text)]


def joined(found: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(text + (b"\n" if tag == b"F" else b"") for tag, text in found)


def logs(rig: Rig, *arguments: str) -> bytes:
    line = [*rig.program, "logs", *arguments]
    return subprocess.run(line, env={**os.environ, **rig.environment()}, check=True, capture_output=True).stdout


def test_lines_pieces_and_bytes(rig: Rig, scheduler: Scheduler) -> None:
    script = r"echo one; echo wrong >&2; printf '\000\377\n\nhalf '; sleep 0.5; echo line; printf 'no end'"
    run(rig, scheduler, "mixed", script)
    assert entries(rig, scheduler, "mixed") == [
        (b"F", b"one"),
        (b"F", b"\0\xff"),
        (b"F", b""),
        (b"P", b"half "),
        (b"F", b"line"),
        (b"P", b"no end"),
        (b"F", b""),
    ]
    assert entries(rig, scheduler, "mixed", "stderr") == [(b"F", b"wrong")]
    assert logs(rig, "mixed", "--stream", "stdout") == b"one\n\0\xff\n\nhalf line\nno end\n"
    assert logs(rig, "mixed", "--stream", "stdout", "--tail", "2") == b"half line\nno end\n"
    lines = [json.loads(line) for line in logs(rig, "mixed", "--json", "--stream", "stdout").splitlines()]
    assert [each["line"] for each in lines][-2:] == ["half line", "no end"]
    assert re.match(rb"\d{4}-\S+ +one\n", logs(rig, "mixed", "-t", "--stream", "stdout"))


def test_rotation_at_full_speed_loses_nothing(rig: Rig, scheduler: Scheduler) -> None:
    script = "seq 1 200000 | tee /tmp/all | sha256sum >&2; cat /tmp/all; head -c 100000 /dev/zero | tr '\\0' z"
    run(rig, scheduler, "flood", script, mem=64)
    found = joined(entries(rig, scheduler, "flood"))
    numbers = "".join(f"{number}\n" for number in range(1, 200_001)).encode()
    whole = numbers + b"z" * 100_000 + b"\n"
    assert found == whole
    assert hashlib.sha256(logs(rig, "flood", "--all", "--stream", "stdout")).digest() == hashlib.sha256(found).digest()


def test_binary_output_comes_out_of_rotated_files_byte_by_byte(rig: Rig, scheduler: Scheduler, tmp_path: Path) -> None:
    """Random bytes, which have an end of a line in every 256 or so, then long runs without one."""
    content = os.urandom(4 << 20) + os.urandom(1 << 20).replace(b"\n", b"") + b"\r\n\0\r" + b"\n" * 3
    (tmp_path / "all").write_bytes(content)
    volume = {"name": "in", "hostPath": {"path": str(tmp_path), "type": "Directory"}}
    container = {"volumeMounts": [{"name": "in", "mountPath": "/in"}]}
    run(rig, scheduler, "binary", "cat /in/all", mem=64, container=container, spec={"volumes": [volume]})
    assert joined(entries(rig, scheduler, "binary")) == content
    assert logs(rig, "binary", "--all", "--stream", "stdout") == content


def test_the_end_of_a_log_is_the_termination_message(rig: Rig, scheduler: Scheduler) -> None:
    container = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    message = run(rig, scheduler, "fails", "echo it broke >&2; exit 1", container=container)
    assert "it broke" in message and "stderr F" not in message
