"""The variables of a container of a Kubernetes v1 Pod. Pure.

`envFrom` comes first, `env` wins over it, and in both the later one wins over the earlier one. What a variable takes
from elsewhere is taken as it is, without `$(NAME)` in it being filled in, as kubelet does
(pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from executor.errors import InvalidTask
from executor.mesos.resources import Resources
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.expansion import POD_MAX_BYTES
from executor.spec.kubernetes import downward, names
from executor.spec.kubernetes.container_documents import Container, EnvFromSource, EnvVar, EnvVarSource, KeySelector
from executor.spec.kubernetes.pod_documents import Pod
from executor.spec.model import EnvValue, TakenText
from executor.spec.objects import DataKind, KeyedData, Objects

Variables = tuple[tuple[str, EnvValue], ...]

TAKEN_MAX: Final = 10_000
"""Variables that the containers of a pod take from ConfigMaps and Secrets, each time that one is taken."""


def check_amount(containers: Iterable[tuple[str, Container]], objects: Objects) -> None:
    """Whether what the containers take from ConfigMaps and Secrets is bounded: one object may be taken a thousand
    times, and each time makes all of its variables. Counted before any variable is made; `containers` with their paths.
    Raises InvalidTask.
    """
    count = size_bytes = 0
    for path, values in _taken(containers, objects):
        count += len(values)
        size_bytes += sum(map(len, values)) if count <= TAKEN_MAX else 0
        if count > TAKEN_MAX or size_bytes > POD_MAX_BYTES:
            message = f"{TAKEN_MAX} variables" if count > TAKEN_MAX else f"{POD_MAX_BYTES} bytes of variables"
            hint = "mount the ConfigMap or Secret as a volume"
            raise InvalidTask(f"the pod takes more than {message} from ConfigMaps and Secrets", subject=path, hint=hint)


def _taken(containers: Iterable[tuple[str, Container]], objects: Objects) -> Iterator[tuple[str, Collection[bytes]]]:
    """The path and the values of each thing that is taken and is there."""
    for path, one in containers:
        for index, source in enumerate(one.env_from):
            for kind, ref in ((DataKind.CONFIG_MAP, source.config_map_ref), (DataKind.SECRET, source.secret_ref)):
                if ref is not None and (data := objects.data(kind, ref.name)) is not None:
                    yield f"{path}.envFrom[{index}]", data.values.values()
        for index, entry in enumerate(one.env):
            place = entry.value_from or EnvVarSource()
            for kind, key in ((DataKind.CONFIG_MAP, place.config_map_key_ref), (DataKind.SECRET, place.secret_key_ref)):
                if key is not None and (data := objects.data(kind, key.name)) is not None and key.key in data.values:
                    yield f"{path}.env[{index}]", (data.values[key.key],)


def from_object(source: EnvFromSource, objects: Objects, path: str) -> Variables:
    """The variables of one entry of envFrom. Raises InvalidTask."""
    if (source.config_map_ref is None) == (source.secret_ref is None):
        raise InvalidTask("needs exactly one source: configMapRef or secretRef", subject=path)
    kind, field = (
        (DataKind.CONFIG_MAP, "configMapRef") if source.config_map_ref is not None else (DataKind.SECRET, "secretRef")
    )
    ref = source.config_map_ref or source.secret_ref
    assert ref is not None  # noqa: S101 - what the first test leaves over, said for the type checker
    data = _object(kind, ref.name, objects, f"{path}.{field}.name", optional=ref.optional)
    if data is None:
        return ()
    keys = [key for key in sorted(data.values) if key not in data.binary]
    return tuple(
        (common.variable(f"{source.prefix}{key}", f"{path}.prefix"), _text(data, key, f"{path}.{field}"))
        for key in keys
    )


def variable(
    entry: EnvVar,
    own: Container,
    pod: Pod,
    identity: dict[str, str],
    resources: Resources,
    objects: Objects,
    path: str,
) -> Variables:
    """One variable; none where its source is optional and not there. Raises InvalidTask."""
    name, source = names.variable(entry.name, f"{path}.name"), entry.value_from
    if source is None:
        return ((name, entry.value),)
    if entry.value:
        raise InvalidTask("has a value and a valueFrom", subject=path)
    place = f"{path}.valueFrom"
    _only_one(source, place)
    if source.config_map_key_ref is not None:
        found = _keyed(DataKind.CONFIG_MAP, source.config_map_key_ref, objects, f"{place}.configMapKeyRef")
        return () if found is None else ((name, found),)
    if source.secret_key_ref is not None:
        found = _keyed(DataKind.SECRET, source.secret_key_ref, objects, f"{place}.secretKeyRef")
        return () if found is None else ((name, found),)
    value = downward.value(source, pod, identity, own, resources, place)
    return ((name, TakenText(value) if isinstance(value, str) else value),)


def _only_one(source: EnvVarSource, path: str) -> None:
    given = [source.field_ref, source.resource_field_ref, source.config_map_key_ref, source.secret_key_ref]
    if sum(each is not None for each in given) != 1:
        known = "fieldRef, resourceFieldRef, configMapKeyRef or secretKeyRef"
        raise InvalidTask(f"needs exactly one source: {known}", subject=path)


def _keyed(kind: DataKind, ref: KeySelector, objects: Objects, path: str) -> TakenText | None:
    data = _object(kind, ref.name, objects, f"{path}.name", optional=ref.optional)
    if data is None:
        return None
    if ref.key not in data.values or ref.key in data.binary:
        if ref.optional:
            return None
        raise volume_files.missing_key(data, ref.key, f"{path}.key")
    return _text(data, ref.key, f"{path}.key")


def _object(kind: DataKind, name: str, objects: Objects, subject: str, *, optional: bool) -> KeyedData | None:
    data = objects.data(kind, name)
    if data is None and not optional and (kind, name) not in objects.unreadable:
        raise volume_files.missing(kind, name, subject)
    return data


def _text(data: KeyedData, key: str, subject: str) -> TakenText:
    """No variable can hold bytes that are no text, or a NUL."""
    try:
        text = data.values[key].decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        hint = "mount it as a volume"
        raise InvalidTask(f"the key {key[:80]!r} of {data.kind} {data.name} is not text", subject=subject, hint=hint)
    return TakenText(text, secret=data.kind is DataKind.SECRET)
