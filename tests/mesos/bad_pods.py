"""Pods that cannot work and bytes that are no pod, each with what its framework is told."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

INVALID, FAILED = "REASON_TASK_INVALID", "REASON_CONTAINER_LAUNCH_FAILED"
PUT_A_POD = "(put a Kubernetes v1 Pod as JSON or YAML there, base64 encoded, or leave it out)"
SMALL = "(pods are small: move data to an image or a volume)"
ONE_POD = (
    "(send one Pod, with the ConfigMap, Secret, PersistentVolumeClaim it names;"
    " `mesos-pod-executor task` makes a task of each pod)"
)
SEND_ALONG = "(send the {} along: TaskInfo.data may be several YAML documents or a List)"
CONTAINER = "spec.containers[0]"
POD = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": []}}).encode()
LAUGHS = "a: &a [ha, ha, ha]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghi"))
BOMB = gzip.compress(bytes(50_000_000))

DATA = {
    "other-bytes": (b"\x00\xff garbage", f"is not UTF-8 text {PUT_A_POD}"),
    "other-bytes-in-json": (b'{"kind": "\xff"}', f"is not UTF-8 text {PUT_A_POD}"),
    "cut-json": (b'{"kind": "Pod"', f"is not JSON: Expecting ',' delimiter: line 1 column 15 (char 14) {PUT_A_POD}"),
    "no-mapping": (b"hello", f"is not a mapping {PUT_A_POD}"),
    "broken-yaml": (b"a: 'x\n", "is not YAML: found unexpected end of stream in line 2, column 1"),
    "two-documents": (
        b"a: 1\n---\na: 1\n",
        "has 2 documents that could be the pod: no kind, no kind " + ONE_POD,
    ),
    "billion-laughs": (
        LAUGHS.encode(),
        "is YAML that cannot be used: it has more than 10000 values (line 8)",
    ),
    "yaml-that-constructs": (
        b"a: !!python/object/apply:os.system [reboot]",
        "is YAML that cannot be used: the tag tag:yaml.org,2002:python/object/apply:os.system is not accepted (line 1)",
    ),
    "gzip-bomb": (BOMB, f"is larger than 1024 KiB {SMALL}"),
    "cut-gzip": (gzip.compress(POD)[:-3], f"is not a complete gzip, or has something after it {PUT_A_POD}"),
    "much-json": (b'{"a": "' + b"x" * (1 << 20) + b'"}', f"is larger than 1024 KiB {SMALL}"),
    "much-yaml": (b"a: " + b"x" * (600 << 10), f"is larger than 512 KiB {SMALL}"),
    "deep": (b'{"a":' * 1000 + b"1" + b"}" * 1000, "nests deeper than 32"),
    "a-key-twice": (b'{"kind": "Pod", "kind": "Pod"}', "has the key 'kind' twice"),
}
"""Bytes of TaskInfo.data, and what is said of it."""


@dataclass(frozen=True)
class Bad:
    """`message` is a regular expression where the node's own words are in it, marked by a leading ^."""

    message: str
    container: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    reason: str = INVALID


def env(source: dict[str, Any]) -> dict[str, Any]:
    return {"env": [{"name": "A", "valueFrom": source}]}


def limit(**limits: str) -> dict[str, Any]:
    return {"resources": {"limits": limits}}


def network(name: str) -> dict[str, Any]:
    return {"container": {"type": "MESOS", "network_infos": [{"name": name}]}}


LIMITS = f"{CONTAINER}.resources.limits"
TWINS = [{"name": "a", "image": "x"}, {"name": "a", "image": "x"}]
PODS = {
    "unknown-field": Bad("spec.frobnicate: is not a field that is known here (remove it)", spec={"frobnicate": 1}),
    "slip-of-the-pen": Bad(
        f"{CONTAINER}.imagePulPolicy: is not a field that is known here (did you mean imagePullPolicy?)",
        {"imagePulPolicy": "Never"},
    ),
    "not-here": Bad(
        "spec.volumes[0].nfs: NFS: a driver of the cluster must mount it, and there is none here: mount it on the node"
        " and use hostPath (remove it)",
        spec={"volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]},
    ),
    "wrong-type": Bad(f"{CONTAINER}.args[0]: expected str, got int", {"args": [1]}),
    "no-such-policy": Bad(
        "spec.restartPolicy: 'Sometimes' is not a value of this field (use Always or OnFailure or Never)",
        spec={"restartPolicy": "Sometimes"},
    ),
    "twin-containers": Bad(
        "spec.containers[1].name: 'a' is there twice (each may be there once)", spec={"containers": TWINS}
    ),
    "secret": Bad(
        f"{CONTAINER}.env[0].valueFrom.secretKeyRef.name: there is no Secret 's' in TaskInfo.data"
        f" {SEND_ALONG.format('Secret')}",
        env({"secretKeyRef": {"name": "s", "key": "k"}}),
    ),
    "config-map": Bad(
        f"{CONTAINER}.env[0].valueFrom.configMapKeyRef.name: there is no ConfigMap 'c' in TaskInfo.data"
        f" {SEND_ALONG.format('ConfigMap')}",
        env({"configMapKeyRef": {"name": "c", "key": "k"}}),
    ),
    "unknown-field-of-a-variable": Bad(
        f"{CONTAINER}.env[0].valueFrom.fieldRef.fieldPath: 'spec.frob' is not a field that a variable can have"
        " (the document fields.md lists those that are)",
        env({"fieldRef": {"fieldPath": "spec.frob"}}),
    ),
    "relative-directory": Bad(
        f"{CONTAINER}.workingDir: 'srv' is no absolute path, or has .. in it", {"workingDir": "srv"}
    ),
    "more-memory-than-the-task": Bad(
        f"{LIMITS}.memory: 68719476736 bytes are more than the task's mem of 33554432"
        " (ask for less, or launch the task with more)",
        limit(memory="64Gi"),
    ),
    "negative-memory": Bad(f"{LIMITS}.memory: '-1' is out of range: from 0 to 2^63 - 1", limit(memory="-1")),
    "no-quantity": Bad(
        f"{LIMITS}.memory: 'lots' is not a Kubernetes quantity"
        " (write a number with a suffix, such as 250m, 2, 64Mi or 1Gi)",
        limit(memory="lots"),
    ),
    "endless-cpu": Bad(f"{LIMITS}.cpu: '1e30' is out of range: from 0 to 2^63 - 1", limit(cpu="1e30")),
    "more-cpu-than-the-task": Bad(
        "spec.containers: cpu requests are 2.0 cores together, the task's cpus 0.1"
        " (ask for less, or launch the task with more)",
        {"resources": {"requests": {"cpu": "2"}}},
    ),
    "foreign-port": Bad(
        f"{CONTAINER}.ports[0].hostPort: port 22 of the node is not among the task's ports resource: none"
        " (take it from an offer's ports)",
        {"ports": [{"containerPort": 22, "hostPort": 22}]},
    ),
    "described-twice": Bad(
        "TaskInfo.container.hostname: is not for a task with a pod in its data"
        " (the pod in TaskInfo.data describes the containers: leave this out)",
        task={"container": {"type": "MESOS", "hostname": "h"}},
    ),
    "no-image": Bad(
        "image docker.io/library/nowhere:1: is not on this node"
        " (bring it here: mesos-pod-executor images pull, or images import)",
        {"image": "docker.io/library/nowhere:1", "imagePullPolicy": "Never"},
        reason=FAILED,
    ),
    "no-program": Bad(r"^.*/no/such/program.*", {"command": ["/no/such/program"]}, reason=FAILED),
    "root-all-the-same": Bad(r"^.*runAsNonRoot.*", {"securityContext": {"runAsNonRoot": True}}),
    "no-host-file": Bad(
        r"^.*/no/such/file.*",
        {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        {"volumes": [{"name": "v", "hostPath": {"path": "/no/such/file", "type": "File"}}]},
        reason=FAILED,
    ),
    "no-network": Bad(
        r"^/.*/30-garbage.conf: may be the configuration of network 'nowhere', but not JSON: .*"
        r" \(correct the file or remove it\)",
        task=network("nowhere"),
        reason=FAILED,
    ),
    "network-without-plugin": Bad(r"^.*/20-broken.conf.*no-such-plugin.*", task=network("broken"), reason=FAILED),
    "network-of-garbage": Bad(r"^.*/30-garbage.conf.*", task=network("garbage"), reason=FAILED),
    "network-that-fails": Bad(r"^.*unhappy.*", task=network("unhappy"), reason=FAILED),
}
NETWORKS = {
    "20-broken.conf": '{"cniVersion": "0.2.0", "name": "broken", "type": "no-such-plugin"}',
    "30-garbage.conf": '{"name": "garbage", this is not JSON',
    "40-unhappy.conf": '{"cniVersion": "0.2.0", "name": "unhappy", "type": "bridge", "bridge": "unhappy0",'
    ' "ipam": {"type": "host-local", "subnet": "this is not a subnet"}}',
}
