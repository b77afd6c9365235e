"""The containers of a task, for `data` of its statuses: a JSON document of bounded size. Pure.

    {"containers": [{"name": "app", "kind": "main", "state": "running", "started": true, "ready": true, "restarts": 0,
                     "exit_code": null, "reason": "", "message": "", "probes": {"readiness": true}}]}

`state` is a Phase, `exit_code` that of the last run that has ended, `reason` why the executor stopped that run, and
`message` its termination message or why it could not be started. Where the document would be too large, its last
containers are left out, and `left_out` says how many.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from executor.errors import clipped

if TYPE_CHECKING:
    from executor.names import TaskId
    from executor.pod.life.model import Container, Pod

DATA_MAX_BYTES: Final = 16 << 10
MESSAGE_MAX_LETTERS: Final = 1024


def encoded(pod: Pod, task: TaskId) -> bytes:
    """The containers of the task, in the order of their start."""
    documents = [document(pod, each) for each in pod.containers.values() if each.spec.task_id == task]
    kept, size_bytes = [], 0
    for each in documents:
        text = json.dumps(each, separators=(",", ":"))
        size_bytes += len(text) + 1
        if size_bytes > DATA_MAX_BYTES - 64:
            break
        kept.append(text)
    left_out = len(documents) - len(kept)
    more = f',"left_out":{left_out}' if left_out else ""
    return f'{{"containers":[{",".join(kept)}]{more}}}'.encode()


def document(pod: Pod, container: Container) -> dict[str, Any]:
    """The document of one container of the pod."""
    return {
        "name": container.name,
        "kind": container.spec.kind.value,
        "state": container.phase.value,
        "started": container.started,
        "ready": pod.is_ready(container),
        "restarts": container.restarts,
        "exit_code": container.exit_code,
        "reason": clipped(container.stop_message, MESSAGE_MAX_LETTERS),
        "message": clipped(container.message, MESSAGE_MAX_LETTERS),
        "probes": {kind.value: verdict.ok for kind, verdict in container.verdicts.items()},
    }
