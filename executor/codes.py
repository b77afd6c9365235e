"""Stable codes of everything the executor reports: one line here per event. Pure.

A code is what a person greps for, an alert matches and `mesos-pod-executor events` shows; its wording may be
improved, its name and level stay. Every log line of INFO and above carries one, and every code below is used (both
are tested). Areas: executor, pod, container, revocation, mesos, containerd, network, cgroup, control, journal,
library.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class Level(IntEnum):
    """The numbers of Python's logging: INFO one line per transition, WARNING will be retried, ERROR a human should
    look.
    """

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Code:
    """`meaning` says what happened; `action` what an operator does about it, empty where nothing is to be done."""

    level: Level
    meaning: str
    action: str = ""


def _info(meaning: str) -> Code:
    return Code(Level.INFO, meaning)


def _warning(meaning: str, action: str) -> Code:
    return Code(Level.WARNING, meaning, action)


def _error(meaning: str, action: str) -> Code:
    return Code(Level.ERROR, meaning, action)


CODES: Final = MappingProxyType(
    {
        "executor.started": _info("The process has read its configuration and environment."),
        "executor.ready": _info("Subscribed to the agent, connected to containerd, cgroups in place."),
        "executor.stopping": _info("SHUTDOWN, a signal or the last pod's end: pods are being ended."),
        "executor.stopped": _info("Every pod is torn down and every update acknowledged, or the grace ran out."),
        "executor.failed": _error(
            "The executor cannot go on.", "Read `error` and `mend`; run `mesos-pod-executor doctor`."
        ),
        "executor.recovered": _info("What an earlier executor left on the node was found and reaped."),
        "pod.accepted": _info("A launch was parsed and a pod made of it."),
        "pod.refused": _warning(
            "A launch cannot work; TASK_FAILED with REASON_TASK_INVALID was sent.", "Mend the field named."
        ),
        "pod.starting": _info("Network, snapshots and containers are being made."),
        "pod.running": _info("Every container of the pod runs."),
        "pod.launch_failed": _error(
            "The node could not start the pod; what was made is taken down.", "See `error`, `mend`."
        ),
        "pod.stopping": _info("SIGTERM was sent to the pod's containers; the grace runs."),
        "pod.exited": _info("Every container of the pod has ended."),
        "pod.gone": _info("Nothing of the pod is left on the node."),
        "pod.teardown_failed": _warning(
            "A part of the pod could not be removed yet.", "It is tried again; see `error`."
        ),
        "pod.failed": _error(
            "A defect or failure at the pod's boundary ended this pod; others live.", "Report the traceback."
        ),
        "container.exited": _info("A container ended."),
        "container.restarting": _info("The restart policy starts a container again, after a delay."),
        "container.oom": _warning(
            "The kernel killed a process of the container at its memory limit.", "Raise the memory limit."
        ),
        "revocation.started": _info("A revocation's victims are chosen and proven to be revocable."),
        "revocation.refused": _warning(
            "A revocation was refused; nothing was changed.", "See `error`; mend the request."
        ),
        "revocation.step": _info("One step of the ladder was taken for all victims at once."),
        "revocation.stuck": _error("A victim is alive after SIGKILL.", "Look for processes in state D; see `pids`."),
        "revocation.receipt": _info(
            "A revocation ended: victims, what was freed, proof that regular pods were spared."
        ),
        "revocation.regular_changed": _error(
            "A regular pod changed during a revocation.", "Report it with the receipt."
        ),
        "control.listening": _info("The control socket accepts commands."),
        "control.request": _info("A command that changes something came over the control socket."),
        "control.refused_peer": _warning(
            "A process of another user tried the control socket.", "Look at `uid` and `pid`."
        ),
        "control.crowded": _warning(
            "More connections than the control socket serves.", "End clients that follow events."
        ),
        "control.bug": _error(
            "A defect while answering on the control socket; nothing else is affected.", "Report it."
        ),
        "log.level": _info("The log level was changed at run time."),
        "journal.write_failed": _warning(
            "The journal cannot be written; events stay in memory only.", "Free space in the sandbox."
        ),
        "journal.gap": _warning(
            "A follower was too slow or asked for events that are no longer kept.", "Read journal.jsonl."
        ),
        "library.warning": _warning("A library warned.", "See `text`."),
        "library.error": _error(
            "A library reported an error, or a task of the event loop failed unseen.", "See `text`."
        ),
    }
)
