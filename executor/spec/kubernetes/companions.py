"""TaskInfo.data as a pod and the objects that it names: one document, several, or a List. Pure.

Exactly one document is a Pod. The others are ConfigMaps, Secrets and PersistentVolumeClaims; faults in one of them have
a path such as `ConfigMap web-config.data`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor import quantity
from executor.errors import InvalidTask, together
from executor.spec import checks as common
from executor.spec.kubernetes.companion_documents import ConfigMap, PersistentVolumeClaim, Secret
from executor.spec.objects import DATA_MAX_BYTES, Claim, DataKind, KeyedData, Objects
from executor.spec.reading import document as manifest
from executor.spec.reading import form, marks
from executor.spec.reading.bounds import SUBJECT

CLAIM: Final = "PersistentVolumeClaim"
KINDS: Final = ("ConfigMap", "Secret", CLAIM)
WORKLOADS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        ("Deployment", "ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"), ("spec", "template")
    ),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
"""Where the template of its pods is."""
BESIDE: Final = (
    "Service",
    "ServiceAccount",
    "Namespace",
    "Ingress",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "StorageClass",
    "PersistentVolume",
    "PriorityClass",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
)
"""What people keep in the file of a pod. It has no effect here; a NetworkPolicy confines, and is refused."""
_TASKS: Final = "mesos-pod-executor task FILE prints the tasks of its pods"
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True)
class Documents:
    """`pod` is the Pod's document as it is; `faults` are those of the objects. `without_effect` names other documents:
    `Service web`.
    """

    pod: Mapping[str, Any]
    objects: Objects
    faults: tuple[InvalidTask, ...] = ()
    without_effect: tuple[str, ...] = ()


def read(data: Any) -> Documents:
    """From base64 text. Raises InvalidTask where there is not exactly one pod; faults of objects are in the result."""
    every = manifest.documents(data)
    beside = [document for document in every if document.get("kind") in BESIDE]
    listed = [document for document in every if document not in beside]
    pods = [document for document in listed if document.get("kind") not in KINDS]
    if len(pods) != 1:
        kinds = ", ".join(marks.shown(str(document.get("kind", "no kind"))) for document in pods[:8])
        hint = f"send one Pod, with the {', '.join(KINDS)} it names; `mesos-pod-executor task` makes a task of each pod"
        raise InvalidTask(f"has {len(pods)} documents that could be the pod: {kinds}", subject=SUBJECT, hint=hint)
    (pod,) = pods
    if pod.get("kind") in tuple(WORKLOADS):  # it may be of any type
        raise InvalidTask(f"is {pod['kind']}, and only a Pod can be launched", subject="kind", hint=_TASKS)
    without_effect = tuple(marks.shown(path_of(each)) for each in beside)
    return Documents(
        pod, *_read([each for each in listed if each is not pod], _namespace(pod)), without_effect=without_effect
    )


def objects(documents: Sequence[Mapping[str, Any]], namespace: str) -> Objects:
    """ConfigMaps, Secrets and claims, each of which has `namespace` or none. Raises InvalidTask, with every fault."""
    found, faults = _read(documents, namespace)
    if faults:
        raise together(faults)
    return found


def _read(documents: Sequence[Mapping[str, Any]], namespace: str) -> tuple[Objects, tuple[InvalidTask, ...]]:
    """What can be read, and what is wrong with the others."""
    found: dict[tuple[str, str], KeyedData | Claim] = {}
    faults: list[InvalidTask] = []
    unreadable: set[tuple[str, str]] = set()
    for document in documents:
        name = _name(document)
        try:
            made = _claim(document) if document["kind"] == CLAIM else _keyed(document)
            _same_namespace(document, namespace)
            if (document["kind"], name) in found:
                raise InvalidTask("is there twice", subject=path_of(document), hint="send one of it")
            found[document["kind"], name] = made
        except InvalidTask as error:
            faults += error.faults
            unreadable.add((document["kind"], name))
    data = [each for each in found.values() if isinstance(each, KeyedData)]
    return (
        Objects(
            config_maps={each.name: each for each in data if each.kind is DataKind.CONFIG_MAP},
            secrets={each.name: each for each in data if each.kind is DataKind.SECRET},
            claims={each.name: each for each in found.values() if isinstance(each, Claim)},
            unreadable=frozenset(unreadable),
        ),
        tuple(faults),
    )


def _name(document: Mapping[str, Any]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else ""


def _namespace(pod: Mapping[str, Any]) -> str:
    """The namespace of the pod if it is a text; the reader of the pod names any fault in it."""
    metadata = pod.get("metadata")
    found = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    return found if found and isinstance(found, str) else "default"


def path_of(document: Mapping[str, Any]) -> str:
    """How messages name a document."""
    return f"{document['kind']} {marks.shown(_name(document)) or '?'}"


def _same_namespace(document: Mapping[str, Any], namespace: str) -> None:
    own = document["metadata"].get("namespace") or namespace
    if own != namespace:
        raise InvalidTask(
            f"is {marks.shown(own)}, and the pod's is {marks.shown(namespace)}",
            subject=f"{path_of(document)}.metadata.namespace",
            hint="a pod uses objects of its own namespace",
        )


def _keyed(document: Mapping[str, Any]) -> KeyedData:
    path = path_of(document)
    if document["kind"] == "ConfigMap":
        one = form.decode(document, ConfigMap, path=path)
        twice = one.data.keys() & one.binary_data.keys()
        if twice:
            raise InvalidTask("is in data and in binaryData", subject=f"{path}.data['{marks.shown(min(twice))}']")
        texts = {key: text.encode() for key, text in one.data.items()}
        values = texts | _decoded(one.binary_data, f"{path}.binaryData")
        kind, of_type, binary = DataKind.CONFIG_MAP, "", frozenset(one.binary_data)
        immutable = one.immutable
    else:
        secret = form.decode(document, Secret, path=path)
        plain = {key: text.encode() for key, text in secret.string_data.items()}
        values = _decoded(secret.data, f"{path}.data") | plain
        kind, of_type, binary, immutable = DataKind.SECRET, secret.type, frozenset(), secret.immutable
    name = common.dns_subdomain(document["metadata"]["name"], f"{path}.metadata.name")
    _check(values, path)
    return KeyedData(kind, name, values, binary, immutable, of_type)


def _decoded(table: Mapping[str, str], path: str) -> dict[str, bytes]:
    """The values of a secret are in no message."""
    found = {}
    for key, text in table.items():
        try:
            found[key] = base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            hint = "write plain text into stringData of a Secret, or data of a ConfigMap"
            raise InvalidTask("is not base64", subject=f"{path}['{marks.shown(key)}']", hint=hint) from None
    return found


def _check(values: Mapping[str, bytes], path: str) -> None:
    for key in values:
        if not _KEY.fullmatch(key) or key in (".", "..") or key.startswith(".."):
            hint = "use letters, digits, -, _ and ., not .. in front"
            raise InvalidTask("cannot be a key", subject=f"{path}.data['{marks.shown(key)}']", hint=hint)
    size_bytes = sum(map(len, values.values()))
    if size_bytes > DATA_MAX_BYTES:
        raise InvalidTask(f"has {size_bytes} bytes, which is more than {DATA_MAX_BYTES}", subject=path)


def _claim(document: Mapping[str, Any]) -> Claim:
    path = path_of(document)
    one = form.decode(document, PersistentVolumeClaim, path=path)
    name = common.dns_subdomain(one.metadata.name, f"{path}.metadata.name")
    storage = one.spec.resources.requests.storage
    request_bytes = 0 if storage is None else quantity.size(storage, subject=f"{path}.spec.resources.requests.storage")
    return Claim(name, one.spec.volume_name or name, request_bytes)
