"""What an executor's classes and pods use."""

from __future__ import annotations

from typing import NotRequired, TypedDict

_Class = TypedDict("_Class", {"class": str})


class Stall(TypedDict):
    avg10: float
    avg60: float
    avg300: float


class Pressure(TypedDict):
    some: Stall


class Pressures(TypedDict):
    cpu: Pressure | None
    memory: Pressure | None
    io: Pressure | None


class Used(_Class):
    at_s: float
    cpu_usage_usec: int | None
    memory_bytes: int | None
    cpus: float
    mem_bytes: int


class UsedByClass(Used):
    pods: int
    pressure: Pressures


class Traffic(TypedDict):
    at_s: float
    received_bytes: int
    received_packets: int
    received_dropped: int
    received_errors: int
    sent_bytes: int
    sent_packets: int
    sent_dropped: int
    sent_errors: int


class UsedByPod(Used):
    pod: str
    name: str
    namespace: str
    role: str
    state: str
    network: NotRequired[Traffic | None]


class Usage(TypedDict):
    executor: str
    classes: list[UsedByClass]
    pods: list[UsedByPod]
