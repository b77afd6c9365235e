"""New ConfigMaps and Secrets for a pod that runs: what its framework's MESSAGE asks for. Pure.

    {"id": "u-1", "task": "web-0", "objects": [{"apiVersion": "v1", "kind": "ConfigMap", ...}]}

An object replaces the one of its kind and name as a whole. Only files of volumes change: variables and subPath mounts
keep what they had, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from executor.errors import InvalidRequest, Refused
from executor.spec import task_message
from executor.spec.model import PodSpec
from executor.spec.objects import KeyedData, Objects
from executor.spec.reading import document as manifest
from executor.spec.volume_files import names_object

SUBJECT: Final = "update"
OBJECTS_MAX: Final = 100
_KINDS: Final = ("ConfigMap", "Secret")
_HINT: Final = 'send {"update": {"id": "u-1", "task": "web-0", "objects": [{"kind": "ConfigMap", ...}]}}'


@dataclass(frozen=True)
class Request:
    """`documents` are ConfigMaps and Secrets that are not read yet."""

    id: str
    task: str
    documents: tuple[Mapping[str, Any], ...]


def parse(document: object) -> Request:
    """Raises InvalidRequest, or InvalidTask for a text that no document may hold."""
    message = task_message.read(document, subject=SUBJECT, content="objects", hint=_HINT)
    objects = message.content
    if not isinstance(objects, list) or not 0 < len(objects) <= OBJECTS_MAX:
        raise InvalidRequest(f"must be 1 to {OBJECTS_MAX} objects", subject=f"{SUBJECT}.objects", hint=_HINT)
    for index, each in enumerate(objects):
        if not isinstance(each, Mapping) or each.get("kind") not in _KINDS:
            subject = f"{SUBJECT}.objects[{index}].kind"
            raise InvalidRequest(f"must be {' or '.join(_KINDS)}", subject=subject, hint=_HINT)
        manifest.vet(each, subject=f"{SUBJECT}.objects[{index}]")
    return Request(message.id, message.task, tuple(objects))


def applied(current: Objects, fresh: Objects, spec: PodSpec) -> Objects:
    """`current` with the objects of `fresh` in their place. Raises InvalidRequest for an object that no volume of the
    pod shows, Refused for one that is immutable.
    """
    for data in (*fresh.config_maps.values(), *fresh.secrets.values()):
        _check(data, current, spec)
    return replace(
        current,
        config_maps={**current.config_maps, **fresh.config_maps},
        secrets={**current.secrets, **fresh.secrets},
    )


def _check(data: KeyedData, current: Objects, spec: PodSpec) -> None:
    subject = f"{data.kind} {data.name}"
    if not any(names_object(volume, data.kind, data.name) for volume in spec.files_volumes):
        hint = "variables keep their values; launch the task again to change them"
        raise InvalidRequest("is shown by no volume of the pod", subject=subject, hint=hint)
    before = current.data(data.kind, data.name)
    if before is not None and before.immutable and data != before:
        raise Refused("is immutable", subject=subject, hint="launch the task again with another object")
