"""What one task or message could stop an executor with: each input small to send, and once slow or deadly to take."""

from __future__ import annotations

import json
from typing import Any

from tests.support.mesos import messages

Task = dict[str, Any]
CPUS, MEM = 0.01, 8


def pod(container: Task | None = None, **spec: Any) -> Task:
    one = {"name": "app", "image": "no.such/image:1", **(container or {})}
    return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [one], **spec}}


def task(name: str, document: Any, **fields: Any) -> Task:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    resources = [messages.scalar("cpus", CPUS), messages.scalar("mem", MEM)]
    return messages.task_info(name, resources, data=data, **fields)


def doubled() -> list[Task]:
    env = [{"name": "A0", "value": "$(A)"}]
    return env + [{"name": f"A{at + 1}", "value": f"$(A{at})" * 10} for at in range(12)]


def keys(count: int) -> bytes:
    return json.dumps({f"k{number}": 1 for number in range(count)})[:-1].encode() + b', "k%d": 1}' % (count - 1)


def slowest() -> bytes:
    """The slowest description that is read to its end; it wants a port that its task has not."""
    source = {"resourceFieldRef": {"resource": "limits.cpu"}}
    containers = [
        {"name": f"c{number}", "image": "a:1", "env": [{"name": "A", "valueFrom": source}] * 9} for number in range(100)
    ]
    containers[-1]["ports"] = [{"containerPort": 1, "hostPort": 1}]
    return json.dumps(pod(containers=containers)).encode()


def taken(data: dict[str, str], **fields: list[Task]) -> bytes:
    """A ConfigMap of which many containers take variables, again and again."""
    containers = [{"name": f"c{number}", "image": "a:1", **fields} for number in range(90)]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [pod(containers=containers), settings]}).encode()


def about() -> Task:
    """900 files, each with 100 KiB of annotations."""
    items = [{"path": f"p{number}", "fieldRef": {"fieldPath": "metadata.annotations"}} for number in range(900)]
    annotations = {f"a{number}": "v" * 100 for number in range(900)}
    return {**pod(volumes=[{"name": "v", "downwardAPI": {"items": items}}]), "metadata": {"annotations": annotations}}


MANY = {f"k{number}": "" for number in range(2_500)}
TAKEN = [{"prefix": f"P{number}", "configMapRef": {"name": "c"}} for number in range(6)]
KEY = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
TASKS: dict[str, list[Task]] = {
    "variables that double": [task("double", pod({"env": doubled()}))],
    "30,000 keys, one twice": [task("keys", keys(30_000))],
    "80,000 keys, one twice": [task("more-keys", keys(80_000))],
    "30,000 unknown fields": [task("typos", pod({f"imagePullPolic{n}": 1 for n in range(30_000)}))],
    "3,000 unknown fields": [task("fewer-typos", pod({f"imagePullPolic{n}": 1 for n in range(3_000)}))],
    "deep JSON": [task("deep", b'{"a":' * 200_000)],
    "YAML with 25,000 tags": [task("tags", b"".join(b"%%TAG !a%d! b\n" % n for n in range(25_000)))],
    "20 descriptions, as slow as can be": [task(f"slow-{n}", slowest()) for n in range(20)],
    "1,350,000 variables of a ConfigMap": [task("taken", taken(MANY, envFrom=TAKEN))],
    "a long variable 540 times": [
        task("long", taken({"k": "x" * 700_000}, env=[{"name": f"A{number}", **KEY} for number in range(6)]))
    ],
    "900 files of all annotations": [task("about", about())],
    "4 launches of 4 MiB": [task(f"large-{n}", b'{"a": "' + b"x" * (4 << 20) + b'"}') for n in range(4)],
    "20,000 labels": [task("labels", pod(), labels=messages.labels({f"k{number}": "v" for number in range(20_000)}))],
    "300 small launches": [task(f"small-{n}", pod({"bad": n})) for n in range(300)],
    "300,000 networks": [
        task("nets", {**pod(), "metadata": {"annotations": {"mesos-pod-executor/networks": "a," * 300_000}}})
    ],
}
"""Each ends in TASK_FAILED."""

MESSAGES: dict[str, list[bytes]] = {
    "500 messages": [b"rubbish"] * 500,
    "deep message": [b"[" * 200_000],
    "100,000 tasks in a request": [
        json.dumps({"revoke": {"select": {"tasks": list(map(str, range(100_000)))}}}).encode()
    ],
    "5,000 tasks in a request": [json.dumps({"revoke": {"select": {"tasks": list(map(str, range(5_000)))}}}).encode()],
    "a length of 200,000 digits": [json.dumps({"revoke": {"select": {"all": True}, "grace": "1" * 200_000}}).encode()],
}
"""Each is answered with an error."""
