"""Which document an executor answers to which request. Each answer is checked once, where it arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from executor.cli.documents import executor, pod, revocation, usage
from executor.cli.documents.fault import fault
from executor.cli.exits import Unreadable

ANSWERS: Final[Mapping[str, Any]] = {  # `{}` stands for a part of a path
    "GET /v1/executor": executor.Who,
    "GET /v1/pods": pod.Pods,
    "GET /v1/pods/{}": pod.Inspection,
    "DELETE /v1/pods/{}": pod.Removed,
    "POST /v1/pods/{}/check": pod.Checked,
    "POST /v1/pods/{}/kill": pod.Killed,
    "GET /v1/candidates": executor.Candidates,
    "POST /v1/revocations": revocation.Revocation,
    "GET /v1/revocations": revocation.Receipts,
    "GET /v1/revocations/{}": revocation.Receipt,
    "GET /v1/events": executor.Events,
    "GET /v1/timelines/{}": executor.Timeline,
    "GET /v1/log": executor.LogLevel,
    "PUT /v1/log": executor.LogLevel,
    "POST /v1/rehearsals": revocation.Rehearsal,
    "GET /v1/usage": usage.Usage,
}
LINES: Final[Mapping[str, Any]] = {"GET /v1/events": executor.Event, "POST /v1/pods/{}/exec": executor.Execution}
"""The lines of those answers that are streams."""


def needed(of: Mapping[str, Any], method: str, path: str) -> Any:
    """The document that commands need of the answer; None for one of which no command reads anything."""
    parts = f"{method} {path}".split("/")
    return next((each for pattern, each in of.items() if _fits(pattern.split("/"), parts)), None)


def _fits(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    return len(pattern) == len(parts) and all(a in ("{}", b) for a, b in zip(pattern, parts, strict=True))


def check(shape: Any, document: object, identity: str, what: str) -> None:
    """Raises Unreadable, which names the executor, `what` it was asked, and what its answer lacks."""
    if shape is not None and (lacking := fault(shape, document)):
        hint = "it may be of another version than this command: see mesos-pod-executor version, and its log"
        raise Unreadable(f"its answer to {what} cannot be used: {lacking}", subject=f"executor {identity}", hint=hint)
