"""The ConfigMaps, Secrets and claims that a pod names, as its user would send them with it. Pure.

For pods whose objects are not at hand: each object has the keys that the pod takes from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = dict[str, Any]
_MADE = "made up"


def with_referred(pod: Mapping[str, Any]) -> Document:
    """A List of the pod and everything that it names. Keys of objects whose texts were made up become real keys."""
    renamed = _with_real_keys(pod)
    return {"apiVersion": "v1", "kind": "List", "items": [renamed, *documents(renamed)]}


def _with_real_keys(value: Any) -> Any:
    """`Text 13` cannot be a key of a ConfigMap."""
    if isinstance(value, list):
        return [_with_real_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: item.replace(" ", "-") if name == "key" and isinstance(item, str) else _with_real_keys(item)
        for name, item in value.items()
    }


def documents(pod: Mapping[str, Any]) -> list[Document]:
    spec = _mapping(pod.get("spec"))
    keys: dict[tuple[str, str], set[str]] = {}
    for kind, name, some in (*_of_containers(spec), *_of_volumes(spec)):
        keys.setdefault((kind, name), set()).update(some)
    namespace = _mapping(pod.get("metadata")).get("namespace")
    return [_object(kind, name, some, namespace) for (kind, name), some in sorted(keys.items()) if name]


def _object(kind: str, name: str, keys: set[str], namespace: str | None) -> Document:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    document: Document = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
    if kind == "PersistentVolumeClaim":
        return {**document, "spec": {"volumeName": f"volume-{name}"}}
    return {**document, ("data" if kind == "ConfigMap" else "stringData"): dict.fromkeys(sorted(keys), _MADE)}


Reference = tuple[str, str, list[str]]
"""Kind, name, keys."""


def _of_containers(spec: Mapping[str, Any]) -> Iterator[Reference]:
    containers = [*_items(spec.get("initContainers")), *_items(spec.get("containers"))]
    for one in containers:
        for variable in _items(one.get("env")):
            source = _mapping(variable.get("valueFrom"))
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if ref := _mapping(source.get(field)):
                    yield kind, str(ref.get("name", "")), [str(ref.get("key", ""))]
        for source in _items(one.get("envFrom")):
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if ref := _mapping(source.get(field)):
                    yield kind, str(ref.get("name", "")), []


def _of_volumes(spec: Mapping[str, Any]) -> Iterator[Reference]:
    for volume in _items(spec.get("volumes")):
        yield from _of_source(volume)
        for source in _items(_mapping(volume.get("projected")).get("sources")):
            yield from _of_source(source)
        if claim := _mapping(volume.get("persistentVolumeClaim")):
            yield "PersistentVolumeClaim", str(claim.get("claimName", "")), []


def _of_source(source: Mapping[str, Any]) -> Iterator[Reference]:
    for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if found := _mapping(source.get(field)):
            name = found.get("secretName") or found.get("name") or ""
            yield kind, str(name), [str(item.get("key", "")) for item in _items(found.get("items"))]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
