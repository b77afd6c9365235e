"""Every metric of the executor: name, help, labels, unit. Pure.

Names follow Prometheus' rules: base units, `_total` on counters (added when they are shown), the prefix of the program.
A name and its labels stay; help may be improved. packaging/doc/metrics.md is made from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "mesos_pod_executor"
IDENTITY: Final = ("framework", "executor")
"""Labels on every sample where several executors of a node share one document; Prometheus' own target labels tell
them apart otherwise.
"""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` is without prefix and without `_total`. `labels` say what each one can be."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As a query has it; a histogram adds _bucket, _sum and _count."""
        return f"{PREFIX}_{self.name}" + ("_total" if self.kind is Kind.COUNTER else "")


LABELS: Final = {
    "agent": "Mesos agent id",
    "class": "regular or revocable",
    "code": "an event's code (events.md)",
    "direction": "received or sent, as the pod sees it",
    "executor": "Mesos executor id",
    "framework": "Mesos framework id",
    "kind": "some: at least one task waited; full: all of them did",
    "level": "info, warning or error",
    "oom": "whose limit was met: container, pod, role, class, executor, node, systemd-oomd; empty: not known",
    "part": "rootfs, volumes, logs, other or unlinked (removed files that are still open)",
    "outcome": "the task state that Mesos was sent, TASK_...",
    "phase": "images, queued, sandbox, network, containers, start: the steps of a launch",
    "probe": "startup, liveness, readiness, health or check",
    "result": "passed, failed, or error for a question that could not be asked",
    "reason": "Mesos' REASON_..., empty for none",
    "resource": "cpu, memory or io",
    "state": "of a pod or of a revocation",
    "version": "the executor's version",
    "what": "the kind of object: names, network, cgroup, files, task, shim, container, snapshot, lease",
}

_LAUNCH = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0)
_PHASE = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0, 120.0)
_PULL = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_REVOCATION = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


# --- from events

EVENTS: Final = _counter("events", "Events by code: everything that is logged at INFO and above.", "code", "level")
LAUNCH: Final = Metric(
    "launch_seconds",
    Kind.HISTOGRAM,
    "Time from a launch's arrival until every container of the pod runs.",
    ("class",),
    _LAUNCH,
)
LAUNCH_PHASE: Final = Metric(
    "launch_phase_seconds",
    Kind.HISTOGRAM,
    "Time that each step of a launch took; network and containers overlap.",
    ("phase",),
    _PHASE,
)
PODS_ENDED: Final = _counter(
    "pods_ended", "Pods that ended, by the task state that Mesos was sent.", "class", "outcome", "reason"
)
OOM_KILLS: Final = _counter(
    "oom_kills", "Processes of containers that the kernel killed for memory, by whose limit was met.", "class", "oom"
)
LEAKS: Final = _counter("leaks", "Objects that could not be removed when their pod ended.", "what")
LOG_DROPPED: Final = _counter(
    "log_dropped_bytes",
    "Output of containers that was lost: the disk refused it, did not answer, or the log writer was killed.",
)
IMAGE_PULL: Final = Metric(
    "image_pull_seconds",
    Kind.HISTOGRAM,
    "Time from the start of a pull that succeeded until its image was unpacked.",
    (),
    _PULL,
)
IMAGE_PULL_BYTES: Final = _counter("image_pull_bytes", "Bytes of images that came from registries.")
REVOCATIONS: Final = _counter("revocations", "Receipts of revocations, by the state they tell.", "state")
REVOCATION: Final = Metric(
    "revocation_seconds",
    Kind.HISTOGRAM,
    "Time from a revocation's request until its last victim had ended (time to free).",
    (),
    _REVOCATION,
)
REVOCATION_VICTIMS: Final = _counter("revocation_victims", "Pods that revocations ended.")
REVOCATION_FREED_CPUS: Final = _counter("revocation_freed_cpus", "Cpus that revocations gave back, as Mesos counts.")
REVOCATION_FREED_MEMORY: Final = _counter(
    "revocation_freed_memory_bytes", "Memory that revocations gave back, as measured."
)

# --- read when asked

INFO: Final = _gauge("info", "Always 1; the labels identify the executor.", "version", "framework", "executor", "agent")
SUBSCRIBED: Final = _gauge("subscribed", "Whether the agent has ever taken this executor's subscription.")
UNACKNOWLEDGED: Final = _gauge("unacknowledged_updates", "Status updates that the agent has not acknowledged yet.")
LEAKED: Final = _gauge("pods_leaked", "Ended pods of which something could not be removed yet.")
PODS: Final = _gauge("pods", "Living pods.", "class", "state")
LAUNCHES: Final = _gauge("launches_under_way", "Pods whose set-up or start is under way.")
LAUNCHES_WAITING: Final = _gauge("launches_waiting", "Pods that wait for a place to be set up ([pods] max_launching).")
UNREADY: Final = _gauge(
    "pods_unready", "Running pods of which a container is not ready, as its probes, or its state, say.", "class"
)
BACKING_OFF: Final = _gauge(
    "pods_backing_off", "Pods of which a container has ended and waits for its next start.", "class"
)
PROBES: Final = _counter("probes", "Probes and checks of containers, by their result.", "probe", "result")
STUCK: Final = _gauge("pods_stuck", "Pods whose processes do not end after SIGKILL.", "class")
CPUS: Final = _gauge("class_cpus", "Cpus that Mesos accounts to a class's living pods.", "class")
MEMORY: Final = _gauge("class_memory_bytes", "Memory that Mesos accounts to a class's living pods.", "class")
USED_CPU: Final = _counter("class_cpu_usage_seconds", "CPU time used in a class's cgroup subtree.", "class")
USED_MEMORY: Final = _gauge("class_memory_usage_bytes", "Memory in use in a class's cgroup subtree.", "class")
USED_DISK: Final = _gauge(
    "class_disk_usage_bytes",
    "Disk that a class's pods use, as each was counted last: the number of one pod is in `ps --json`.",
    "class",
    "part",
)
PRESSURE: Final = _counter(
    "class_pressure_waiting_seconds",
    "Time that tasks of a class's subtree waited for a resource (PSI).",
    "class",
    "resource",
    "kind",
)
NETWORK_BYTES: Final = _counter(
    "class_network_bytes", "Bytes on the networks of a class's pods, of ended ones too.", "class", "direction"
)
NETWORK_PACKETS: Final = _counter(
    "class_network_packets", "Packets on the networks of a class's pods, of ended ones too.", "class", "direction"
)
NETWORK_DROPPED: Final = _counter(
    "class_network_dropped_packets", "Packets that the links of a class's pods dropped.", "class", "direction"
)
NETWORK_ERRORS: Final = _counter(
    "class_network_errors", "Packets that the links of a class's pods found faulty.", "class", "direction"
)
LOOP_LAG: Final = Metric(
    "loop_lag_seconds",
    Kind.HISTOGRAM,
    "How late a timer of the executor's event loop comes, looked at ten times a second.",
    (),
    _LAG,
)
PROCESS_CPU: Final = _counter("process_cpu_seconds", "CPU time that the executor itself used.")
PROCESS_MEMORY: Final = _gauge("process_resident_memory_bytes", "Resident memory of the executor itself.")
PROCESS_FDS: Final = _gauge("process_open_fds", "Open file descriptors of the executor itself.")
PROCESS_START: Final = _gauge("process_start_time_seconds", "When the executor started, seconds since the epoch.")

# --- added by `mesos-pod-executor metrics`, which asks all executors of a node

UP: Final = _gauge("executors_up", "Executors of this node whose control socket answered.")
SILENT: Final = _gauge(
    "executors_silent", "Executors of this node that live and do not answer on their control socket."
)
DEAD: Final = _gauge("executors_dead", "Executors of this node that died and whose remains are not released yet.")

LENDER_UP: Final = _gauge(
    "lender_up",
    "Whether this node's lender runs, is subscribed and follows a master; absent before its first start.",
)
LENDING_OFFER_CPUS: Final = _gauge("lending_offered_cpus", "Cpus that the lender offers as revocable, in use or not.")
LENDING_OFFER_MEMORY: Final = _gauge("lending_offered_memory_bytes", "Memory that the lender offers as revocable.")
LENDING_CPUS: Final = _gauge("lending_borrowed_cpus", "Cpus that tasks of this node borrow.")
LENDING_MEMORY: Final = _gauge("lending_borrowed_memory_bytes", "Memory that tasks of this node borrow.")
LENDING_LOANS: Final = _gauge("lending_loans", "Tasks of this node that borrow.")
LENDING_RETURNED: Final = _counter("lending_returned_loans", "Loans that were returned.")
LENDING_ASKED: Final = _counter("lending_asked_loans", "Of them, those that the lender asked back.")
LENDING_CPU: Final = _counter("lending_borrowed_cpu_seconds", "Cpus times seconds of returned loans.")
LENDING: Final = (
    LENDER_UP, LENDING_OFFER_CPUS, LENDING_OFFER_MEMORY, LENDING_CPUS, LENDING_MEMORY, LENDING_LOANS, LENDING_RETURNED,
    LENDING_ASKED, LENDING_CPU,
)  # fmt: skip

FROM_EVENTS: Final = (
    EVENTS, LAUNCH, LAUNCH_PHASE, PODS_ENDED, OOM_KILLS, LEAKS, LOG_DROPPED, IMAGE_PULL, IMAGE_PULL_BYTES,
    REVOCATIONS, REVOCATION, REVOCATION_VICTIMS, REVOCATION_FREED_CPUS, REVOCATION_FREED_MEMORY,
)  # fmt: skip
WHEN_ASKED: Final = (
    INFO, SUBSCRIBED, UNACKNOWLEDGED, LEAKED, PODS, LAUNCHES, LAUNCHES_WAITING, UNREADY, BACKING_OFF, PROBES, STUCK,
    CPUS, MEMORY, USED_CPU, USED_MEMORY, USED_DISK, PRESSURE, NETWORK_BYTES, NETWORK_PACKETS, NETWORK_DROPPED,
    NETWORK_ERRORS, LOOP_LAG, PROCESS_CPU, PROCESS_MEMORY, PROCESS_FDS, PROCESS_START,
)  # fmt: skip
BY_COMMAND: Final = (UP, SILENT, DEAD, *LENDING)
ALL: Final = (*FROM_EVENTS, *WHEN_ASKED, *BY_COMMAND)
