"""What is wrong with a volume, a mount or a variable from an object, and the field that is named for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.spec.kubernetes.volume_pods import refusal


def volume(**source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}]}


def mount(**fields: Any) -> dict[str, Any]:
    return {"container": {"volumeMounts": [{"name": "v", "mountPath": "/v", **fields}]}, "volumes": [{"name": "v"}]}


def env(**fields: Any) -> dict[str, Any]:
    return {"container": {"env": [{"name": "A", **fields}]}}


def env_from(**fields: Any) -> dict[str, Any]:
    return {"container": {"envFrom": [fields]}}


def item(path: str) -> dict[str, Any]:
    return volume(configMap={"name": "settings", "items": [{"key": "a", "path": path}]})


V, M, E, F = (
    "spec.volumes[0]",
    "spec.containers[0].volumeMounts[0]",
    "spec.containers[0].env[0].valueFrom",
    "spec.containers[0].envFrom[0]",
)
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no config map": (volume(configMap={"name": "x"}), f"{V}.configMap.name", "no ConfigMap 'x'"),
    "no secret": (volume(secret={"secretName": "x"}), f"{V}.secret.secretName", "no Secret 'x'"),
    "no name": (volume(configMap={}), f"{V}.configMap.name", "no ConfigMap ''"),
    "no key": (
        volume(secret={"secretName": "login", "items": [{"key": "x", "path": "x"}]}),
        f"{V}.secret.items[0].key",
        "Secret login has no key 'x'",
    ),
    "no projected": (
        volume(projected={"sources": [{"secret": {"name": "x"}}]}),
        f"{V}.projected.sources[0].secret.name",
        "no Secret 'x'",
    ),
    "upwards": (item("a/../b"), f"{V}.configMap.items[0].path", "not a relative path"),
    "absolute": (item("/a"), f"{V}.configMap.items[0].path", "not a relative path"),
    "the layout's own": (item("..data"), f"{V}.configMap.items[0].path", "cannot name a file"),
    "nothing": (item("./."), f"{V}.configMap.items[0].path", "cannot name a file"),
    "a long name": (item("x" * 256), f"{V}.configMap.items[0].path", "too long"),
    "twice": (
        volume(projected={"sources": [{"configMap": {"name": "settings"}}] * 2}),
        f"{V}.projected.sources[1].configMap",
        "two files",
    ),
    "a file and a directory": (
        volume(configMap={"name": "settings", "items": [{"key": "a", "path": "x"}, {"key": "b", "path": "x/y"}]}),
        "volume v",
        "a file and a directory",
    ),
    "a token": (
        volume(projected={"sources": [{"serviceAccountToken": {"path": "token"}}]}),
        f"{V}.projected.sources[0].serviceAccountToken",
        "no API server",
    ),
    "two in one": (
        volume(projected={"sources": [{"secret": {"name": "login"}, "configMap": {"name": "settings"}}]}),
        f"{V}.projected.sources[0]",
        "exactly one",
    ),
    "a wide mode": (volume(secret={"secretName": "login", "defaultMode": 0o1000}), f"{V}.secret.defaultMode", "511"),
    "huge pages": (volume(emptyDir={"medium": "HugePages"}), f"{V}.emptyDir.medium", "no container asks"),
    "nfs": (volume(nfs={"server": "x", "path": "/"}), f"{V}.nfs", "use hostPath"),
    "csi": (volume(csi={"driver": "x"}), f"{V}.csi", "a driver of the cluster"),
    "no template": (volume(ephemeral={}), f"{V}.ephemeral.volumeClaimTemplate", "is missing"),
    "a filled one": (
        volume(ephemeral={"volumeClaimTemplate": {"spec": {"dataSource": {"kind": "VolumeSnapshot", "name": "x"}}}}),
        f"{V}.ephemeral.volumeClaimTemplate.spec.dataSource",
        "nothing here can fill",
    ),
    "a file of no container": (
        volume(downwardAPI={"items": [{"path": "x", "resourceFieldRef": {"resource": "limits.cpu"}}]}),
        f"{V}.downwardAPI.items[0].resourceFieldRef.containerName",
        "missing",
    ),
    "a field of the node": (
        volume(downwardAPI={"items": [{"path": "x", "fieldRef": {"fieldPath": "status.podIP"}}]}),
        f"{V}.downwardAPI.items[0].fieldRef.fieldPath",
        "not a field that a file can have",
    ),
    "part upwards": (mount(subPath="../x"), f"{M}.subPath", "not a relative path"),
    "both parts": (mount(subPath="x", subPathExpr="y"), f"{M}.subPathExpr", "subPath too"),
    "shared": (mount(mountPropagation="Bidirectional"), f"{M}.mountPropagation", "privileged"),
    "a shared part": (
        {
            "container": {
                "securityContext": {"privileged": True},
                "volumeMounts": [
                    {"name": "v", "mountPath": "/v", "subPath": "x", "mountPropagation": "Bidirectional"},
                ],
            },
            "volumes": [{"name": "v"}],
        },
        f"{M}.mountPropagation",
        "whole volumes",
    ),
    "recursive, writable": (mount(recursiveReadOnly="Enabled"), f"{M}.recursiveReadOnly", "readOnly"),
    "variable without map": (
        env(valueFrom={"configMapKeyRef": {"name": "x", "key": "a"}}),
        f"{E}.configMapKeyRef.name",
        "send the ConfigMap along",
    ),
    "variable without key": (
        env(valueFrom={"secretKeyRef": {"name": "login", "key": "x"}}),
        f"{E}.secretKeyRef.key",
        "no key 'x'",
    ),
    "binary variable": (
        env(valueFrom={"secretKeyRef": {"name": "login", "key": "raw"}}),
        f"{E}.secretKeyRef.key",
        "is not text",
    ),
    "binary data as variable": (
        env(valueFrom={"configMapKeyRef": {"name": "settings", "key": "blob"}}),
        f"{E}.configMapKeyRef.key",
        "no key 'blob'",
    ),
    "two sources of a variable": (
        env(
            valueFrom={
                "secretKeyRef": {"name": "login", "key": "password"},
                "configMapKeyRef": {"name": "settings", "key": "a"},
            }
        ),
        E,
        "exactly one source",
    ),
    "all of nothing": (env_from(secretRef={"name": "x"}), f"{F}.secretRef.name", "no Secret 'x'"),
    "no source": (env_from(prefix="x"), F, "exactly one source"),
    "binary among all": (env_from(secretRef={"name": "login"}), f"{F}.secretRef", "is not text"),
}


@pytest.mark.parametrize(("fields", "subject", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(fields: dict[str, Any], subject: str, words: str) -> None:
    error = refusal(fields.get("container"), volumes=fields.get("volumes", []))
    assert error.subject == subject
    assert words in str(error)
