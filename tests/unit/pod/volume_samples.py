"""Volumes, variables and mounts for the sample of a full pod, and what the pod names: every usable field has a value
that is not its default.
"""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]


def _apart(document: Any) -> Any:
    """Without parts that are there twice, which YAML would write as aliases."""
    return json.loads(json.dumps(document))


_FIELD = {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}
_RESOURCE = {"resourceFieldRef": {"resource": "limits.memory", "containerName": "side", "divisor": "1Mi"}}
DOWNWARD = [
    {"path": "name", **_FIELD, "mode": 0o400},
    {"path": "memory", **_RESOURCE},
]
_ITEM = {"key": "app.conf", "path": "conf.d/app.conf", "mode": 0o600}
_KEY = {"key": "password", "path": "secret/password", "mode": 0o400}

_TEMPLATE: Document = {
    "metadata": {"labels": {"app": "full"}},
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}, "limits": {"storage": "1Gi"}},
        "storageClassName": "fast",
        "volumeAttributesClassName": "fast",
        "selector": {"matchLabels": {"a": "b"}},
        "volumeMode": "Filesystem",
    },
}
VOLUMES: list[Document] = _apart(
    [
        {"name": "work", "emptyDir": {"sizeLimit": "256Mi", "medium": "Memory"}},
        {"name": "logs", "hostPath": {"path": "/var/log", "type": "Directory"}},
        {
            "name": "config",
            "configMap": {"name": "settings", "items": [_ITEM], "defaultMode": 0o640, "optional": True},
        },
        {"name": "keys", "secret": {"secretName": "login", "items": [_KEY], "defaultMode": 0o400, "optional": True}},
        {"name": "about", "downwardAPI": {"items": DOWNWARD, "defaultMode": 0o440}},
        {
            "name": "all",
            "projected": {
                "defaultMode": 0o444,
                "sources": [
                    {"configMap": {"name": "settings", "items": [_ITEM], "optional": True}},
                    {"secret": {"name": "login", "items": [_KEY], "optional": True}},
                    {"downwardAPI": {"items": DOWNWARD}},
                ],
            },
        },
        {"name": "data", "persistentVolumeClaim": {"claimName": "db", "readOnly": True}},
        {"name": "scratch", "ephemeral": {"volumeClaimTemplate": _TEMPLATE}},
    ]
)
ENV: list[Document] = [
    {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
    {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "password"}}},
    {"name": "NO_MODE", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "mode", "optional": True}}},
    {"name": "NO_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "login", "key": "none", "optional": True}}},
]
ENV_FROM: list[Document] = [
    {"prefix": "CONF_", "configMapRef": {"name": "settings"}},
    {"prefix": "LOGIN_", "secretRef": {"name": "login"}},
    {"prefix": "NO_", "configMapRef": {"name": "none", "optional": True}},
    {"prefix": "NO_", "secretRef": {"name": "none", "optional": True}},
]
MOUNTS: list[Document] = [
    {"name": "work", "mountPath": "/work", "readOnly": True, "recursiveReadOnly": "Enabled"},
    {"name": "logs", "mountPath": "/logs", "subPath": "app", "mountPropagation": "HostToContainer"},
    {"name": "data", "mountPath": "/data", "subPathExpr": "$(A)"},
]
OBJECTS: list[Document] = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"app.conf": "a=1", "mode": "fast"},
        "binaryData": {"blob": "/wA="},
        "immutable": True,
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "stringData": {"password": "hunter2"},
        "type": "Opaque",
    },
    {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "db"},
        "spec": {"volumeName": "volume-7", "resources": {"requests": {"storage": "16Mi"}}},
    },
]


def disk(identity: str = "volume-7", mb: float = 64.0, *, role: str = "eng/dev", mode: str = "RW") -> Document:
    """A persistent volume among a task's resources."""
    return {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": mb},
        "allocation_info": {"role": role},
        "disk": {
            "persistence": {"id": identity, "principal": "p"},
            "volume": {"container_path": f"disk-{identity}", "mode": mode},
        },
    }


def with_objects(pod: Document, *objects: Document) -> Document:
    """A List of a pod and objects; without any those of the full pod."""
    return {"apiVersion": "v1", "kind": "List", "items": [pod, *(objects or OBJECTS)]}
