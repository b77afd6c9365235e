"""The form of a framework's MESSAGE about one task that runs: {"id": "u-1", "task": "web-0", CONTENT: ...}. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from executor.errors import InvalidRequest


@dataclass(frozen=True)
class TaskMessage:
    """`id` is empty if the framework gave none. `content` is not read yet."""

    id: str
    task: str
    content: object


def read(document: object, *, subject: str, content: str, hint: str) -> TaskMessage:
    """`content` is the key of what the MESSAGE asks for. Raises InvalidRequest."""
    keys = ("id", "task", content)
    if not isinstance(document, Mapping) or set(document) - set(keys):
        raise InvalidRequest(f"must be an object with {', '.join(keys)}", subject=subject, hint=hint)
    identity, task = document.get("id"), document.get("task")
    if identity is not None and not isinstance(identity, str):
        raise InvalidRequest("must be a text", subject=f"{subject}.id", hint=hint)
    if not isinstance(task, str) or not task:
        raise InvalidRequest("must be the id of a task", subject=f"{subject}.task", hint=hint)
    return TaskMessage(identity or "", task, document.get(content))
