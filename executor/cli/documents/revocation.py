"""Receipts and rehearsals of an executor."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Ended(TypedDict):
    """A victim, as `revoke` shows it."""

    pod: str
    tasks: list[str]
    outcome: str
    ms: float
    pids: NotRequired[list[int]]


class Victim(Ended):
    notified: bool
    cpus: float
    used_cpus: float
    mem_bytes: int


class Freed(TypedDict):
    cpus: float
    mem_bytes: int


class Step(TypedDict):
    step: str
    ms: float
    took_ms: float
    effect: str


class Left(TypedDict):
    pods: int
    cpus: float
    mem_bytes: int


class Regular(TypedDict):
    pods: int
    processes: int
    unchanged: bool
    changed: list[str]
    ended_meanwhile: list[int]


class Verdict(TypedDict):
    """The regular pods, as `revoke` shows them."""

    pods: NotRequired[int]
    unchanged: NotRequired[bool]
    changed: NotRequired[list[str]]


class Receipt(TypedDict):
    id: str
    reason: str
    state: str
    victims: list[Victim]
    freed: Freed
    time_to_free_ms: float
    steps: list[Step]
    left: NotRequired[Left]
    regular: NotRequired[Regular]
    error: NotRequired[str]


class Revocation(TypedDict):
    """A receipt. Where the command did not wait for the end, it has only what is known so far."""

    state: str
    id: NotRequired[str]
    reason: NotRequired[str]
    victims: NotRequired[list[Ended]]
    freed: NotRequired[Freed]
    time_to_free_ms: NotRequired[float]
    left: NotRequired[Left]
    regular: NotRequired[Verdict]
    error: NotRequired[str]


class Receipts(TypedDict):
    revocations: list[Receipt]


class Times(TypedDict):
    count: int
    p50_ms: NotRequired[float | None]
    p90_ms: NotRequired[float | None]
    p99_ms: NotRequired[float | None]


class History(TypedDict):
    revocations: Times
    victims: Times
    after_kill: Times
    stuck: int


class Exercise(TypedDict):
    processes: int
    all_stopped: bool
    stop_ms: float
    regular_untouched: bool


class Rehearsal(TypedDict):
    would: Receipt
    history: History
    exercise: NotRequired[Exercise]
