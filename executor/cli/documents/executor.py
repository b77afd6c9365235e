"""An executor itself, its events, and its sessions."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Who(TypedDict):
    """GET /v1/executor, for a command that asks who it is."""

    executor: str
    framework: NotRequired[str]


class Counts(TypedDict):
    regular: int
    revocable: int


class Executor(TypedDict):
    """GET /v1/executor, for the page of the node."""

    executor: str
    framework: str
    mesos_container: str
    subscribed: bool
    unacknowledged: int
    pods: Counts


class Event(TypedDict):
    seq: int
    time: str
    code: str


class Events(TypedDict):
    events: list[Event]


class TaskEvent(Event):
    since_ms: float


class Timeline(TypedDict):
    events: list[TaskEvent]


class LogLevel(TypedDict):
    level: str


class Candidates(TypedDict):
    """The lender reads them itself."""

    candidates: list[dict[str, Any]]


class Error(TypedDict):
    message: str
    subject: str
    hint: str


class Execution(TypedDict):
    """One line of a session: its streams, then its pid, then its exit code."""

    id: NotRequired[str]
    exit_code: NotRequired[int]
    stdin: NotRequired[str]
    stdout: NotRequired[str]
    stderr: NotRequired[str]
    error: NotRequired[Error]
