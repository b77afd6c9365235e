"""Kubernetes' downward API: what a container's environment, or a file of a volume, may say of its own pod. Pure.

What the manifest says is filled in here; what only the node knows stays a RuntimeField, which is filled in where the
OCI document is written (`executor.oci.document`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from executor import quantity
from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.spec.kubernetes.container_documents import Container, EnvVarSource, ResourceFieldSelector
from executor.spec.kubernetes.pod_documents import Pod
from executor.spec.kubernetes.volume_documents import DownwardFile
from executor.spec.model import EnvValue, RuntimeField

RUNTIME_FIELDS = ("status.podIP", "status.podIPs", "status.hostIP", "status.hostIPs", "spec.nodeName")
FILE_FIELDS = ("metadata.name", "metadata.namespace", "metadata.uid")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^'\]]+)'\]")


def value(
    source: EnvVarSource, pod: Pod, identity: dict[str, str], own: Container, resources: Resources, subject: str
) -> EnvValue:
    """`identity` has metadata.name, .namespace and .uid as they were decided. Raises InvalidTask."""
    field_ref, resource_ref = source.field_ref, source.resource_field_ref
    if (field_ref is None) == (resource_ref is None):
        raise InvalidTask("needs exactly one source: fieldRef or resourceFieldRef", subject=subject)
    if field_ref is not None:
        return _field(field_ref.field_path, pod, identity, f"{subject}.fieldRef.fieldPath")
    assert resource_ref is not None  # noqa: S101 - what the first test leaves over, said for the type checker
    return _resource(
        resource_ref, (*pod.spec.init_containers, *pod.spec.containers), own, resources, f"{subject}.resourceFieldRef"
    )


def tables(pod: Pod) -> dict[str, bytes]:
    """What a file shows of all labels, and of all annotations, by the path of the field."""
    metadata = {"metadata.labels": pod.metadata.labels, "metadata.annotations": pod.metadata.annotations}
    return {path: _lines(table).encode() for path, table in metadata.items()}


def file_content(
    item: DownwardFile,
    pod: Pod,
    identity: dict[str, str],
    resources: Resources,
    tables: Mapping[str, bytes],
    subject: str,
) -> bytes:
    """The content of a file of a downwardAPI volume; `tables` as `tables` makes them. Raises InvalidTask."""
    field_ref, resource_ref = item.field_ref, item.resource_field_ref
    if (field_ref is None) == (resource_ref is None):
        raise InvalidTask("needs exactly one source: fieldRef or resourceFieldRef", subject=subject)
    if resource_ref is not None:
        place = f"{subject}.resourceFieldRef"
        if not resource_ref.container_name:
            raise InvalidTask("is missing", subject=f"{place}.containerName", hint="a volume belongs to no container")
        containers = (*pod.spec.init_containers, *pod.spec.containers)
        own = _named(resource_ref.container_name, containers, place)
        return _resource(resource_ref, containers, own, resources, place).encode()
    assert field_ref is not None  # noqa: S101 - what the first test leaves over, said for the type checker
    path, place = field_ref.field_path, f"{subject}.fieldRef.fieldPath"
    if path in tables:
        return tables[path]
    if path not in FILE_FIELDS and not _SUBSCRIPT.fullmatch(path):
        hint = f"use {', '.join((*FILE_FIELDS, *tables))}, or one label or annotation"
        raise InvalidTask(f"{path[:80]!r} is not a field that a file can have", subject=place, hint=hint)
    value = _field(path, pod, identity, place)
    return value.encode() if isinstance(value, str) else b""


def _lines(table: Mapping[str, str]) -> str:
    """As kubelet writes labels and annotations (pkg/fieldpath, FormatMap): sorted, quoted as Go does."""
    return "\n".join(f"{key}={_quoted(table[key])}" for key in sorted(table))


def _quoted(text: str) -> str:
    """As Go's strconv.Quote, for what JSON writes alike or nearly so."""
    escapes = {
        "\\": "\\\\",
        '"': '\\"',
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\v": "\\v",
    }
    return f'"{"".join(escapes.get(char) or _escaped(char) for char in text)}"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    number = ord(char)
    if number < 0x80:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _field(path: str, pod: Pod, identity: dict[str, str], subject: str) -> EnvValue:
    if path in identity:
        return identity[path]
    if path in RUNTIME_FIELDS:
        return RuntimeField(path)
    if match := _SUBSCRIPT.fullmatch(path):
        table, key = match.groups()
        return (pod.metadata.labels if table == "labels" else pod.metadata.annotations).get(key, "")
    hint = "the document fields.md lists those that are"
    raise InvalidTask(f"{path[:80]!r} is not a field that a variable can have", subject=subject, hint=hint)


def _named(name: str, containers: Sequence[Container], subject: str) -> Container:
    for container in containers:
        if container.name == name:
            return container
    raise InvalidTask(f"there is no container {name[:80]!r}", subject=f"{subject}.containerName")


def _resource(
    ref: ResourceFieldSelector, containers: Sequence[Container], own: Container, task: Resources, subject: str
) -> str:
    container = _named(ref.container_name, containers, subject) if ref.container_name else own
    limits, requests = container.resources.limits, container.resources.requests
    table: dict[str, tuple[str | int | float | None, str | int | float]] = {
        "limits.cpu": (limits.cpu, str(task.cpus)),
        "limits.memory": (limits.memory, task.mem_bytes),
        "requests.cpu": (requests.cpu or limits.cpu, 0),
        "requests.memory": (requests.memory or limits.memory, 0),
        "limits.ephemeral-storage": (limits.ephemeral_storage, task.disk_bytes),
        "requests.ephemeral-storage": (requests.ephemeral_storage or limits.ephemeral_storage, 0),
    }
    if ref.resource not in table:
        raise InvalidTask(f"{ref.resource[:80]!r} is none of {', '.join(table)}", subject=f"{subject}.resource")
    own_amount, fallback = table[ref.resource]
    amount = quantity.parse(fallback if own_amount is None else own_amount, subject=f"{subject}.resource")
    divisor = quantity.parse(ref.divisor, subject=f"{subject}.divisor")
    return str(math.ceil(amount / (divisor or 1)))  # Kubernetes reads a divisor of 0 as the default, 1
