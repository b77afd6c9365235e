"""Pods with volumes, sent with the objects that they name, and what their containers say of them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.mesos import messages
from tests.support.rig import IMAGE, Rig, wait_for

SECRET = "hunter2-7c1fd2a94e"
FS_GROUP = 4242

SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"app.conf": "color=red", "mode": "fast", "unused": "x"},
    "binaryData": {"blob": base64.b64encode(b"\xff\x00\x01").decode()},
}
LOGIN = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "login"},
    "stringData": {"password": SECRET},
    "data": {"user": base64.b64encode(b"alice").decode()},
}
FIXED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "fixed"}, "data": {"a": "1"}, "immutable": True}


def listed(*documents: Mapping[str, Any]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}).encode()


def task(name: str, pod: Mapping[str, Any], *objects: Mapping[str, Any], mem: float = 64) -> dict[str, Any]:
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": {"note": 'a"b'}},
        "spec": pod,
    }
    resources = [messages.scalar("cpus", 0.1), messages.scalar("mem", mem)]
    return messages.task_info(name, resources, data=listed(document, *objects))


def container(script: str, **fields: Any) -> dict[str, Any]:
    """One that says what it finds, and stays."""
    return {"name": "app", "image": IMAGE, "command": ["sh", "-c", f"{script}\necho done; exec sleep 1000"], **fields}


def facts(rig: Rig, name: str) -> dict[str, str]:
    """What the container said, `KEY=value` a line, once it has said everything."""
    (one, *_) = rig.json("inspect", name)["containers"]
    log = Path(one["log"]["stdout"])
    text = wait_for(lambda: found if (found := log.read_text()).endswith("done\n") else None, 20)
    assert text is not None, log.read_text() + Path(one["log"]["stderr"]).read_text()
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def mounts_of(rig: Rig) -> list[str]:
    """Mounts of volumes that are on the node now."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{rig.run_dir}/volumes/")]
