"""What podman's kube play supports is accepted here, where the operator allows what reaches beyond the pod.

The fields are those that docs/kubernetes_support.md of podman marks as supported.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from executor.spec.launch import parse_pod

SELINUX = {"level": "s0", "role": "r", "type": "t", "user": "u"}
OBJECT = {"name": "conf", "key": "a", "optional": True}
CONTAINER: dict[str, Any] = {
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
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {
        "containers": [CONTAINER],
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


def parse(**spec: Any) -> None:
    document = {**POD, "spec": {**POD["spec"], **spec}}
    data = base64.b64encode(json.dumps(document).encode()).decode()
    assert parse_pod(data).name == "web"


def test_what_podman_supports_is_accepted() -> None:
    parse(hostPID=True)
    parse(shareProcessNamespace=True)
    parse(initContainers=[{"name": "first", "image": "app"}])
    parse(hostNetwork=True, containers=[{"name": "a", "image": "b"}], securityContext={})
