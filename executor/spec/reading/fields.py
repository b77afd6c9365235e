"""What happens to every field of a pod and of a task: packaging/doc/fields.md, from the marks in the code. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from executor.spec.kubernetes import companion_documents
from executor.spec.kubernetes import pod_documents as kubernetes
from executor.spec.mesos import taskinfo
from executor.spec.reading import marks
from executor.spec.reading.marks import Kind, Status

TASK = "TaskInfo"


@dataclass(frozen=True)
class Row:
    """`path` as errors name it, with [] for any index: `spec.containers[].image`, `TaskInfo.command.value`. An accepted
    field that is `reported` is among those without effect.
    """

    path: str
    status: Status
    note: str
    only: tuple[object, ...] | None
    reported: bool


def pod_rows() -> tuple[Row, ...]:
    """The rows of a Kubernetes v1 Pod in TaskInfo.data, in the order of the schema."""
    return tuple(_rows(kubernetes.Pod, "", set()))


def object_rows() -> tuple[Row, ...]:
    """The rows of the objects that may come with a pod; each path begins with the kind."""
    structs = (companion_documents.ConfigMap, companion_documents.Secret, companion_documents.PersistentVolumeClaim)
    return tuple(row for struct in structs for row in _rows(struct, struct.__name__, set()))


def task_rows() -> tuple[Row, ...]:
    """The rows of a Mesos TaskInfo, in the order of the message."""
    return tuple(_rows(taskinfo.TaskInfo, TASK, set()))


def _rows(struct: type[msgspec.Struct], path: str, listed: set[type]) -> Iterator[Row]:
    """The rows of a struct; of one that derives from a `listed` struct only the fields that differ."""
    rules = marks.rules(struct)
    if listed.intersection(struct.__mro__[1:]):
        names = dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))
        rules = {name: rule for name, rule in rules.items() if names[name] in struct.__annotations__}
    listed.add(struct)
    for name, rule in rules.items():
        place = marks.join(path, name) + ("[]" if rule.shape.kind is Kind.LIST and rule.shape.struct else "")
        yield Row(place, rule.mark.status, rule.mark.note, rule.mark.only, rule.mark.reported)
        if rule.shape.struct is not None and rule.mark.status is not Status.ACCEPTED:
            yield from _rows(rule.shape.struct, place, listed)


def markdown() -> str:
    """Three tables, each in three columns."""
    pod = _table("Kubernetes v1 Pod in TaskInfo.data", pod_rows())
    objects = _table("Objects beside the Pod in TaskInfo.data", object_rows())
    task = _table("Mesos TaskInfo", task_rows())
    return "\n".join([*pod, "", *objects, "", *task, ""])


def _table(title: str, rows: tuple[Row, ...]) -> list[str]:
    lines = [f"| {title} | | |", "|---|---|---|"]
    return lines + [f"| `{row.path}` | {row.status} | {_note(row)} |" for row in rows]


def _note(row: Row) -> str:
    """The note, and which values of a refused field pass because they ask for nothing."""
    parts = [row.note] if row.note else []
    if row.status is Status.REFUSED and row.only:
        words = [str(value) for value in row.only if isinstance(value, str | bool) and value not in ("", False)]
        parts += [f"{' and '.join(words)} passes"] if words else []
    return "; ".join(parts).replace("|", "\\|")
