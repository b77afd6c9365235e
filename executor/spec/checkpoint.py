"""Where a pod's work is saved, so that only what came after it would be lost. Pure.

mesos-pod-executor/checkpoint    VOLUME/FILE, a file in an emptyDir on disk; its last change is the last checkpoint
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from executor.errors import InvalidTask
from executor.spec.volume_model import EmptyDir, Volume

CHECKPOINT_KEY: Final = "mesos-pod-executor/checkpoint"
SUBJECT: Final = f"metadata.annotations['{CHECKPOINT_KEY}']"
_HINT: Final = "write VOLUME/FILE, as in work/state.ckpt; VOLUME is an emptyDir of the pod that is not of medium Memory"


def of(annotations: Mapping[str, str]) -> tuple[str, str] | None:
    """The volume and the path of the file in it; None for a pod that names none, or not in this form."""
    volume, _, path = annotations.get(CHECKPOINT_KEY, "").partition("/")
    names = path.split("/")
    return (volume, path) if volume and not {"", ".", ".."} & set(names) and "\0" not in path else None


def check(annotations: Mapping[str, str], volumes: Sequence[Volume]) -> None:
    """Raises InvalidTask."""
    if CHECKPOINT_KEY not in annotations:
        return
    found = of(annotations)
    if found is None:
        raise InvalidTask("names no file in a volume", subject=SUBJECT, hint=_HINT)
    fitting = [each.name for each in volumes if isinstance(each, EmptyDir) and not each.in_memory]
    if found[0] not in fitting:
        raise InvalidTask(f"{found[0]} is no such volume", subject=SUBJECT, hint=_HINT)
