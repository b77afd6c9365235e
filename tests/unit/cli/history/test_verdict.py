"""What became of a task, why, by whom, and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from executor.cli.history.verdict import verdict
from executor.lending import rules
from tests.unit.log.test_timeline import journal

RUNNING = {"code": "pod.running", "state": "running", "pod": "pod-1"}


def ended(outcome: str, reason: str | None, error: str) -> dict[str, Any]:
    return {"code": "pod.ended", "state": "ended", "outcome": outcome, "reason": reason, "error": error, "pod": "pod-1"}


def restarting(count: int) -> dict[str, Any]:
    return {
        "code": "pod.restarting",
        "container": "app",
        "exit_code": 3,
        "count": count,
        "delay_s": count * 10.0 + 10.0 * (count > 2),
        "pod": "pod-1",
    }


FAILED_PROBE = {"code": "pod.probe_failed", "level": "warning", "probe": "liveness", "container": "app", "pod": "pod-1"}
PULL_FAILED = {"code": "image.pull_failed", "level": "warning", "image": "a/b:1", "error": "denied"}
LAUNCH_FAILED = "REASON_CONTAINER_LAUNCH_FAILED"
KILLED = {"code": "pod.operator_kill", "pod": "pod-1", "actor": "uid 0, process 7 (kill)"}
REVOKED = {"code": "revocation.started", "revocation": "r-1", "reason": "spark", "actor": "uid 0, process 7 (sh)"}
DISK = {"code": "pod.disk_limit", "level": "warning", "pod": "pod-1"}
CUT = {"code": "network.changed", "level": "warning", "message": "m", "text": "eth0 is down", "hint": "h"}
OOM = {"code": "pod.oom", "level": "warning", "oom": "role", "pod": "pod-1"}


@pytest.mark.parametrize(
    ("events", "what", "why", "actor", "action"),
    [
        (
            [RUNNING, REVOKED, ended("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "revoked by r-1: spark")],
            "ended: TASK_GONE REASON_CONTAINER_PREEMPTED",
            "revoked: spark",
            "uid 0, process 7 (sh), revocation r-1",
            "launches it again",
        ),
        *(
            (
                [RUNNING, REVOKED, ended("TASK_GONE", "REASON_CONTAINER_PREEMPTED", f"revoked by lending-1: {rule}")],
                "ended: TASK_GONE REASON_CONTAINER_PREEMPTED",
                f"revoked by lending-1: {rule}",
                "uid 0, process 7 (sh), revocation r-1",
                "[lending] borrowers and quotas",
            )
            for rule in (rules.may_not_borrow("dev"), rules.over_quota("dev"))
        ),
        (
            [RUNNING, OOM, ended("TASK_FAILED", "REASON_CONTAINER_LIMITATION_MEMORY", "out of memory")],
            "ended: TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY",
            "out of memory",
            "the kernel, at the memory limit of the role",
            "Raise the memory limit of the role",
        ),
        (
            [RUNNING, ended("TASK_FAILED", None, "container app exited with 3")],
            "ended: TASK_FAILED",
            "container app exited with 3",
            "the container itself",
            "mesos-pod-executor logs pod-1",
        ),
        (
            [RUNNING, ended("TASK_KILLED", None, "killed by the scheduler")],
            "ended: TASK_KILLED",
            "killed by the scheduler",
            "the framework's scheduler (KILL)",
            "Nothing.",
        ),
        (
            [
                {
                    "code": "pod.refused",
                    "level": "warning",
                    "error": "unknown",
                    "subject": "spec.x",
                    "hint": "leave it out",
                }
            ],
            "refused: TASK_FAILED",
            "spec.x: unknown",
            "this executor, before the launch",
            "Leave it out",
        ),
        (
            [
                {"code": "pod.refused", "level": "warning", "error": "unknown", "subject": "spec.x"},
                {"code": "task.status", "state": "TASK_FAILED", "reason": "REASON_TASK_INVALID"},
            ],
            "refused: TASK_FAILED REASON_TASK_INVALID",
            "spec.x: unknown",
            "this executor, before the launch",
            "Correct what WHY names.",
        ),
        (
            [RUNNING, {**OOM, "oom": "class"}, ended("TASK_GONE", "REASON_CONTAINER_PREEMPTED", "out of memory")],
            "ended: TASK_GONE REASON_CONTAINER_PREEMPTED",
            "out of memory",
            "the kernel, at the memory limit of the class",
            "place fewer pods there",
        ),
        (
            [RUNNING, DISK, ended("TASK_FAILED", "REASON_CONTAINER_LIMITATION_DISK", "the pod uses 40.0 MiB")],
            "ended: TASK_FAILED REASON_CONTAINER_LIMITATION_DISK",
            "the pod uses 40.0 MiB",
            "this executor: the pod was over a limit of its disk",
            "WHY says which part used how much",
        ),
        (
            [RUNNING, {**CUT, "hint": "see `inspect POD`", "pod": "pod-1"}],
            "running since 2026-01-01T00:00:01.000Z",
            "network.changed at 2026-01-01T00:00:02.000Z: m: eth0 is down",
            "not known: something else on this node that configures links or rules",
            "See `mesos-pod-executor inspect pod-1`",
        ),
        (
            [RUNNING, {"code": "pod.stuck", "level": "error", "pids": [7, 8], "message": "does not die"}],
            "stuck: its processes do not die of SIGKILL: 7, 8",
            "does not die",
            "the container itself",
            "Look for state D in WHAT",
        ),
        (
            [
                RUNNING,
                {"code": "pod.destroying", "state": "destroying"},
                {"code": "pod.stuck", "level": "error", "pids": [7], "message": "does not die"},
            ],
            "stuck: its processes do not die of SIGKILL (killed at 2026-01-01T00:00:02.000Z): 7",
            "does not die",
            "the container itself",
            "Look for state D in WHAT",
        ),
        (
            [
                RUNNING,
                {"code": "pod.destroying", "state": "destroying"},
                {"code": "pod.stuck", "level": "error", "pids": [7], "message": "does not die"},
                {"code": "pod.tearing_down", "state": "tearing-down"},
                ended("TASK_KILLED", None, "killed by the scheduler"),
            ],
            "ended: TASK_KILLED; its processes lived on for 2.0 s after SIGKILL",
            "killed by the scheduler",
            "the framework's scheduler (KILL)",
            "Nothing.",
        ),
        (
            [RUNNING, *(restarting(number) for number in range(4))],
            (
                "running, and container app has ended 4 times; the last time at 2026-01-01T00:00:05.000Z,"
                " to be started again 40 s later"
            ),
            "container app exited with status 3",
            "the container itself",
            "mesos-pod-executor logs pod-1 -c app --previous",
        ),
        (
            [RUNNING, restarting(0), {**FAILED_PROBE, "error": "HTTP 500"}, restarting(1)],
            (
                "running, and container app has ended 2 times; the last time at 2026-01-01T00:00:04.000Z,"
                " to be started again 10 s later"
            ),
            "its liveness probe failed: HTTP 500",
            "this executor, for the probe of the container",
            "mesos-pod-executor logs pod-1 -c app --previous",
        ),
        (
            [RUNNING, {"code": "pod.pulling", "state": "pulling", "image": "a/b:1"}, PULL_FAILED],
            "pulling since 2026-01-01T00:00:02.000Z",
            "image.pull_failed at 2026-01-01T00:00:03.000Z: denied",
            "the registry, or the way to it",
            "See WHY: the name, the credentials, the registry.",
        ),
        (
            [
                {"code": "pod.pulling", "image": "a/b:1"},
                PULL_FAILED,
                ended("TASK_FAILED", LAUNCH_FAILED, "image a/b:1: denied"),
            ],
            f"ended: TASK_FAILED {LAUNCH_FAILED}",
            "image a/b:1: denied",
            "this executor: the node could not start it",
            "See WHY: the name, the credentials, the registry.",
        ),
        (
            [RUNNING, KILLED, ended("TASK_KILLED", None, "killed on the node by uid 0, process 7 (kill): leaks")],
            "ended: TASK_KILLED",
            "killed on the node: leaks",
            "uid 0, process 7 (kill)",
            "Nothing.",
        ),
        (
            [RUNNING, {**KILLED, "code": "pod.operator_signal", "signal": "SIGTERM"}, ended("TASK_FAILED", None, "x")],
            "ended: TASK_FAILED",
            "x",
            "uid 0, process 7 (kill), who sent SIGTERM; or the container itself",
            "logs pod-1",
        ),
        (
            [
                RUNNING,
                CUT,
            ],
            "running since 2026-01-01T00:00:01.000Z",
            "network.changed at 2026-01-01T00:00:02.000Z: m: eth0 is down",
            "not known: something else on this node that configures links or rules",
            "H",
        ),
        ([RUNNING], "running since 2026-01-01T00:00:01.000Z", "nothing went wrong", "-", "Nothing."),
        (
            [RUNNING, {"code": "pod.log_dropped", "level": "warning", "error": "No space left on device"}],
            "running since 2026-01-01T00:00:01.000Z",
            "pod.log_dropped at 2026-01-01T00:00:02.000Z: No space left on device",
            "the disk of the agent's work directory",
            "See WHY: is the disk of the agent's work directory full?",
        ),
    ],
)
def test_every_end_has_a_verdict(events: list[dict[str, Any]], what: str, why: str, actor: str, action: str) -> None:
    found = verdict(journal(*events))
    assert (found.what, found.why, found.actor) == (what, why, actor)
    assert action in found.action


def test_a_dead_executors_pod_is_lost_unless_it_had_ended() -> None:
    assert verdict(journal(RUNNING), executor_died=True).what == "lost with its executor while it was running"
    over = journal(RUNNING, ended("TASK_FINISHED", None, "exited with 0"))
    assert verdict(over, executor_died=True).what == "ended: TASK_FINISHED"


def test_one_that_is_ending_says_so() -> None:
    stopping = {**ended("TASK_KILLED", None, "killed by the scheduler"), "code": "pod.stopping", "state": "stopping"}
    assert verdict(journal(RUNNING, stopping)).what == "stopping, and then: TASK_KILLED"
