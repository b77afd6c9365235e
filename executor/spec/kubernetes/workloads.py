"""The pods that a file of Kubernetes documents asks for: of Pods, and of the templates of workloads. Pure.

Each comes with the ConfigMaps, Secrets and claims of the file that it names, and no others. Nothing watches the pods as
a controller does: a framework launches as many as the workload asks for and replaces those that end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from executor.errors import InvalidTask
from executor.spec.kubernetes.companions import CLAIM, WORKLOADS
from executor.spec.kubernetes.companions import KINDS as COMPANIONS
from executor.spec.reading.marks import shown

Json = dict[str, Any]

_COUNTS: Final = {"Job": "parallelism"}
KINDS: Final = ("Pod", *WORKLOADS)
PODS_MAX: Final = 1000
_REFERENCES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "configMap": (("ConfigMap", "name"),),
    "configMapRef": (("ConfigMap", "name"),),
    "configMapKeyRef": (("ConfigMap", "name"),),
    "secret": (("Secret", "secretName"), ("Secret", "name")),
    "secretRef": (("Secret", "name"),),
    "secretKeyRef": (("Secret", "name"),),
    "imagePullSecrets": (("Secret", "name"),),
    "persistentVolumeClaim": (("PersistentVolumeClaim", "claimName"),),
}


@dataclass(frozen=True)
class Launchable:
    """One pod. `name` is the pod's; `path` leads to what describes it, and `documents` are what
    a task's data has to hold: the Pod first.
    """

    name: str
    path: str
    documents: tuple[Json, ...]


def launchables(documents: Sequence[Json]) -> tuple[Launchable, ...]:
    """Raises InvalidTask for a workload without a template, and for more pods than PODS_MAX."""
    companions = [each for each in documents if each.get("kind") in COMPANIONS]
    found: list[Launchable] = []
    for document in documents:
        if document.get("kind") in KINDS:
            found.extend(_of(document, companions, room=PODS_MAX - len(found)))
    return tuple(found)


def others(documents: Sequence[Json]) -> tuple[str, ...]:
    """Documents of which no pod is made and that none can name: `Service web`."""
    rest = [each for each in documents if each.get("kind") not in (*KINDS, *COMPANIONS)]
    return tuple(f"{shown(str(each.get('kind', 'a document without a kind')))} {shown(_name(each))}" for each in rest)


def _of(document: Json, companions: Sequence[Json], *, room: int) -> Iterator[Launchable]:
    kind, name = document["kind"], _name(document)
    path = f"{kind} {shown(name)}"
    if kind == "Pod":
        yield _one(document, name, "", companions)
        return
    template = _at(document, WORKLOADS[kind])
    place = ".".join((path, *WORKLOADS[kind]))
    if not isinstance(template, dict):
        raise InvalidTask("is missing", subject=place, hint="it is the pod of the workload")
    count = _count(document, path)
    if count > room:
        raise InvalidTask(f"asks for {count} pods: a file may ask for {PODS_MAX}", subject=path)
    for index in range(count):
        own = f"{name}-{index}"
        yield _one(_pod(template, document, own, place), own, place, [*companions, *_claims(document, own)])


def _count(document: Json, path: str) -> int:
    """The pods of a workload; one for a DaemonSet and a CronJob: a framework knows the number of nodes and the time."""
    field = _COUNTS.get(document["kind"], "replicas")
    wanted = _at(document, ("spec", field))
    if wanted is None or document["kind"] in ("DaemonSet", "CronJob"):
        return 1
    if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 0:
        raise InvalidTask("must be a whole number from 0 on", subject=f"{path}.spec.{field}")
    return wanted


def _pod(template: Json, document: Json, name: str, path: str) -> Json:
    """A pod as the workload's controller would make it."""
    metadata, spec = template.get("metadata") or {}, template.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise InvalidTask("needs metadata and spec that are mappings", subject=path)
    spec = dict(spec)
    if document["kind"] == "StatefulSet":
        _set_state(spec, document, name)
    if document["kind"] in ("Job", "CronJob") and spec.get("restartPolicy") not in ("OnFailure", "Never"):
        hint = "use OnFailure or Never"
        raise InvalidTask("is that of a Job, which ends", subject=f"{path}.spec.restartPolicy", hint=hint)
    own = {"name": name, **_in_namespace(document)}
    return template | {"apiVersion": "v1", "kind": "Pod", "metadata": metadata | own, "spec": spec}


def _in_namespace(document: Json) -> Json:
    namespace = _at(document, ("metadata", "namespace"))
    return {} if namespace is None else {"namespace": namespace}


def _set_state(spec: Json, document: Json, name: str) -> None:
    """Its name in DNS, and its own claims, `data-web-0` for the template `data` and the pod `web-0`."""
    spec["hostname"] = name
    if isinstance(service := _at(document, ("spec", "serviceName")), str) and service:
        spec["subdomain"] = service
    claims = [_name(each) for each in _claim_templates(document)]
    volumes = spec["volumes"] if isinstance(spec.get("volumes"), list) else []
    others = [each for each in volumes if not (isinstance(each, dict) and each.get("name") in claims)]
    own = [{"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}"}} for claim in claims]
    spec["volumes"] = [*others, *own]


def _claims(document: Json, name: str) -> list[Json]:
    """The own claims of a pod of a StatefulSet; empty for other workloads."""
    metadata = _in_namespace(document)
    return [
        {
            "apiVersion": "v1",
            "kind": CLAIM,
            "metadata": {"name": f"{_name(each)}-{name}", **metadata},
            "spec": each.get("spec") or {},
        }
        for each in _claim_templates(document)
    ]


def _claim_templates(document: Json) -> list[Json]:
    found = _at(document, ("spec", "volumeClaimTemplates")) if document["kind"] == "StatefulSet" else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _one(pod: Json, name: str, path: str, companions: Sequence[Json]) -> Launchable:
    wanted = set(_references(pod.get("spec")))
    namespace = _at(pod, ("metadata", "namespace"))
    mine = [
        each
        for each in companions
        if (each["kind"], _name(each)) in wanted and _at(each, ("metadata", "namespace")) in (None, namespace)
    ]
    return Launchable(name, path, (pod, *mine))


def _references(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and name of every object that a spec names."""
    for key, item in value.items() if isinstance(value, dict) else ():
        for each in item if isinstance(item, list) else [item]:
            for kind, field in _REFERENCES.get(key, ()):
                if isinstance(each, dict) and isinstance(each.get(field), str):
                    yield kind, each[field]
        yield from _references(item)
    for item in value if isinstance(value, list) else ():
        yield from _references(item)


def _at(document: Any, path: Sequence[str]) -> Any:
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _name(document: Json) -> str:
    name = _at(document, ("metadata", "name"))
    return name if isinstance(name, str) else ""
