"""A pod, as an executor answers it."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

_Class = TypedDict("_Class", {"class": str})


class Container(TypedDict):
    name: str
    state: str
    restarts: int
    kind: NotRequired[str]
    pid: NotRequired[int | None]
    image: NotRequired[str]
    exit_code: NotRequired[int | None]
    ready: NotRequired[bool]
    message: NotRequired[str]
    probes: NotRequired[dict[str, bool]]
    log: NotRequired[dict[str, str]]
    limits: NotRequired[dict[str, float | None]]
    oom_kills: NotRequired[int]


class Pulling(TypedDict):
    phase: str
    bytes: int
    total_bytes: int
    error: str


class Outcome(TypedDict):
    state: str
    reason: str | None
    message: str


class Pod(_Class):
    pod: str
    name: str
    namespace: str
    role: str
    state: str
    tasks: list[str]
    containers: list[Container]
    ips: list[str]
    age_s: float
    executor: str
    started_at: str
    labels: NotRequired[dict[str, str]]
    ended_age_s: NotRequired[float]
    pulling: NotRequired[list[Pulling]]
    healthy: NotRequired[bool]
    network_faults: NotRequired[list[str]]
    stuck_pids: NotRequired[list[int]]
    outcome: NotRequired[Outcome]


class Pods(TypedDict):
    pods: list[Pod]


class Resources(TypedDict):
    cpus: float
    mem_bytes: int


class Network(TypedDict):
    network: str
    ips: list[str]


class Link(TypedDict):
    ifname: str
    kind: str
    ips: list[str]
    up: bool
    carrier: bool
    mtu_bytes: int
    received_bytes: int
    received_dropped: int
    received_errors: int
    sent_bytes: int
    sent_dropped: int
    sent_errors: int


class Route(TypedDict):
    destination: str
    gateway: str | None
    ifname: str


class KernelNetwork(TypedDict):
    links: list[Link]
    routes: list[Route]
    differences: list[str]


class Inspection(Pod):
    resources: NotRequired[Resources]
    networks: NotRequired[list[Network]]
    host_ports: NotRequired[list[dict[str, Any]]]
    usage: NotRequired[dict[str, int | None] | None]
    kernel_network: NotRequired[KernelNetwork | None]


class Killed(TypedDict):
    pod: str
    signalled: list[str]


class Removed(TypedDict):
    pod: str


class Checked(TypedDict):
    error: str
