"""What podman's kube play supports is accepted here, where the operator allows what reaches beyond the pod.

The fields are those that docs/kubernetes_support.md of podman marks as supported; for the other ones it is known what
is done here. A Deployment, DaemonSet or Job is what the command `task` reads.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from executor.spec.kubernetes import workloads
from executor.spec.launch import parse_pod
from executor.spec.reading import fields
from executor.spec.reading.marks import Status

Json = dict[str, Any]


def words(text: str) -> list[str]:
    return text.split()


SUPPORTED_OF_PODS = words("""
containers initContainers volumes restartPolicy terminationGracePeriodSeconds hostname hostAliases.hostnames
hostAliases.ip dnsConfig.nameservers dnsConfig.options.name dnsConfig.options.value dnsConfig.searches hostNetwork
hostPID hostIPC shareProcessNamespace securityContext.runAsUser securityContext.runAsGroup
securityContext.supplementalGroups securityContext.seLinuxOptions.level securityContext.seLinuxOptions.role
securityContext.seLinuxOptions.type
securityContext.seLinuxOptions.user securityContext.sysctls.name securityContext.sysctls.value
""")
SUPPORTED_OF_CONTAINERS = words("""
name image imagePullPolicy command args workingDir ports.containerPort ports.hostIP ports.hostPort ports.name
ports.protocol env.name env.value env.valueFrom.configMapKeyRef.key env.valueFrom.configMapKeyRef.name
env.valueFrom.configMapKeyRef.optional env.valueFrom.fieldRef env.valueFrom.resourceFieldRef
env.valueFrom.secretKeyRef.key env.valueFrom.secretKeyRef.name env.valueFrom.secretKeyRef.optional
envFrom.configMapRef.name envFrom.configMapRef.optional envFrom.secretRef.name envFrom.secretRef.optional
volumeMounts.mountPath volumeMounts.name volumeMounts.readOnly volumeMounts.subPath resources.limits resources.requests
lifecycle.stopSignal livenessProbe securityContext.runAsUser securityContext.runAsGroup
securityContext.readOnlyRootFilesystem securityContext.procMount securityContext.privileged
securityContext.allowPrivilegeEscalation securityContext.capabilities.add securityContext.capabilities.drop
securityContext.seLinuxOptions.level securityContext.seLinuxOptions.role securityContext.seLinuxOptions.type
securityContext.seLinuxOptions.user
""")
SUPPORTED_OF_OBJECTS = words("""
PersistentVolumeClaim.spec.storageClassName PersistentVolumeClaim.spec.accessModes
PersistentVolumeClaim.spec.resources.requests ConfigMap.binaryData ConfigMap.data
""")
OTHERS_OF_PODS = words("""
imagePullSecrets enableServiceLinks os nodeSelector nodeName affinity tolerations schedulerName runtimeClassName
priorityClassName priority topologySpreadConstraints activeDeadlineSeconds readinessGates setHostnameAsFQDN subdomain
dnsPolicy serviceAccountName automountServiceAccountToken securityContext.runAsNonRoot securityContext.fsGroup
securityContext.fsGroupChangePolicy securityContext.seccompProfile.type securityContext.seccompProfile.localhostProfile
securityContext.windowsOptions
""")
OTHERS_OF_CONTAINERS = words("""
envFrom.prefix volumeMounts.mountPropagation volumeMounts.subPathExpr volumeDevices lifecycle.postStart
lifecycle.preStop terminationMessagePath terminationMessagePolicy readinessProbe startupProbe
securityContext.runAsNonRoot securityContext.seccompProfile.type securityContext.seccompProfile.localhostProfile
securityContext.windowsOptions
stdin stdinOnce tty
""")
NOT_HERE = {"volumeDevices"}
"""What neither has."""

SELINUX = {"level": "s0", "role": "r", "type": "t", "user": "u"}
OBJECT = {"name": "conf", "key": "a", "optional": True}
CONTAINER: Json = {
    "name": "main",
    "image": "app",
    "imagePullPolicy": "IfNotPresent",
    "command": ["a"],
    "args": ["b"],
    "workingDir": "/srv",
    "ports": [{"containerPort": 80, "hostIP": "127.0.0.1", "hostPort": 8080, "name": "http", "protocol": "TCP"}],
    "env": [
        {"name": "A", "value": "b"},
        {"name": "B", "valueFrom": {"configMapKeyRef": OBJECT}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {"name": "E", "valueFrom": {"secretKeyRef": OBJECT}},
    ],
    "envFrom": [{"configMapRef": {"name": "conf", "optional": True}}, {"secretRef": {"name": "s", "optional": True}}],
    "volumeMounts": [{"mountPath": "/a", "name": "v", "readOnly": True, "subPath": "x"}],
    "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "100m"}},
    "lifecycle": {"stopSignal": "SIGINT"},
    "livenessProbe": {"exec": {"command": ["true"]}},
    "securityContext": {
        "runAsUser": 1,
        "runAsGroup": 1,
        "readOnlyRootFilesystem": True,
        "procMount": "Unmasked",
        "privileged": True,
        "allowPrivilegeEscalation": True,
        "capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
        "seLinuxOptions": SELINUX,
    },
}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "containers": [CONTAINER],
        "initContainers": [{"name": "first", "image": "app"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 5,
        "hostname": "web",
        "hostAliases": [{"hostnames": ["a"], "ip": "10.0.0.1"}],
        "dnsConfig": {"nameservers": ["10.0.0.2"], "options": [{"name": "ndots", "value": "1"}], "searches": ["a"]},
        "hostIPC": True,
        "securityContext": {
            "runAsUser": 1,
            "runAsGroup": 1,
            "supplementalGroups": [1],
            "seLinuxOptions": SELINUX,
            "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
        },
    },
}
APART: dict[str, Json] = {
    "hostPID": {"hostPID": True},
    "shareProcessNamespace": {"shareProcessNamespace": True},
    "hostNetwork": {"hostNetwork": True, "containers": [{"name": "a", "image": "b"}], "securityContext": {}},
}
"""What does not go with the other fields, and the parts of a pod that has it."""
VOLUMES: list[Json] = [
    {"emptyDir": {}},
    {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
    {"hostPath": {"path": "/srv", "type": "DirectoryOrCreate"}},
    {"configMap": {"name": "conf", "optional": True}},
    {"secret": {"secretName": "s", "optional": True}},
    {"persistentVolumeClaim": {"claimName": "data"}},
]


def parse(document: Mapping[str, Any]) -> None:
    data = base64.b64encode(json.dumps(document).encode()).decode()
    assert parse_pod(data).name.startswith("web")


def has(document: Any, path: list[str]) -> bool:
    """Whether a field is there, in any entry of a list."""
    if not path:
        return True
    if isinstance(document, list):
        return any(has(each, path) for each in document)
    return isinstance(document, dict) and path[0] in document and has(document[path[0]], path[1:])


def named() -> Iterator[tuple[str, Json]]:
    """Each supported field, and a pod that has it."""
    for field in SUPPORTED_OF_PODS:
        yield f"spec.{field}", {**POD, "spec": {**POD["spec"], **APART.get(field, {})}}
    for field in SUPPORTED_OF_CONTAINERS:
        yield f"spec.containers.{field}", POD


@pytest.mark.parametrize(("field", "document"), [pytest.param(*each, id=each[0]) for each in named()])
def test_what_podman_supports_is_accepted(field: str, document: Json) -> None:
    assert has(document, field.split("."))
    parse(document)
    assert status(field) in (Status.SUPPORTED, Status.ACCEPTED)


@pytest.mark.parametrize("volume", VOLUMES, ids=lambda volume: next(iter(volume)))
def test_volumes_of_podman(volume: Json) -> None:
    parse({**POD, "spec": {**POD["spec"], "volumes": [{"name": "v", **volume}]}})


def test_objects_of_podman() -> None:
    rows = {row.path: row.status for row in fields.object_rows()}
    assert {rows[path] for path in SUPPORTED_OF_OBJECTS} <= {Status.SUPPORTED, Status.ACCEPTED}


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Job"])
def test_workloads_of_podman(kind: str) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {**POD["spec"], "restartPolicy": "OnFailure"}}
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "template": template,
        **({"replicas": 2} if kind[1] == "e" else {}),
    }
    document = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}
    found = workloads.launchables([document])
    assert len(found) == (2 if kind == "Deployment" else 1), "podman makes one of a Deployment"
    for each in found:
        parse(each.documents[0])


def test_what_podman_does_not_support_is_known_here() -> None:
    """Where it has no effect a pod is told so; where it is refused a message says why."""
    others = [
        *(f"spec.{field}" for field in OTHERS_OF_PODS),
        *(f"spec.containers.{each}" for each in OTHERS_OF_CONTAINERS),
    ]
    refused = {field.rpartition(".")[2] for field in others if status(field) is Status.REFUSED}
    assert refused == NOT_HERE


def status(field: str) -> Status:
    """That of fields.md, whose paths mark lists."""
    rows = {row.path.replace("[]", ""): row.status for row in fields.pod_rows()}
    return rows[field]
