"""Each way to probe and each effect of a probe, on a real agent with real containers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.mesos.probing import FAST, WEB, container, events, execute, launch, wait_events, wait_health
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PORTS = [{"name": "web", "containerPort": 8080}]
UP = {"httpGet": {"port": "web", "path": "/up"}}
STUBBORN = ("sh", "-c", "trap '' TERM; sleep 1000 & while :; do wait; done")
HEALTH_UPDATED = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="probes") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


def test_readiness_is_in_statuses_and_in_ps(rig: Rig, scheduler: Scheduler) -> None:
    pod = launch(rig, scheduler, "web", ports=PORTS, readinessProbe={**UP, **FAST})
    first = scheduler.statuses("web")[1]
    assert (first.state, first.raw["healthy"], first.reason) == ("TASK_RUNNING", False, "")
    ready = wait_health(scheduler, "web", True)
    assert (ready.state, ready.reason) == ("TASK_RUNNING", HEALTH_UPDATED)
    assert container(ready)["ready"] and container(ready)["probes"] == {"readiness": True}
    assert " 1/1 " in ps_line(rig, "web")
    start = scheduler.mark()
    execute(rig, pod, "rm", "/tmp/www/up")
    unready = wait_health(scheduler, "web", False, start)
    assert unready.reason == HEALTH_UPDATED and "status 404" in unready.message
    assert " 0/1 " in ps_line(rig, "web")
    execute(rig, pod, "touch", "/tmp/www/up")
    wait_health(scheduler, "web", True, start)
    assert [each.raw["healthy"] for each in scheduler.statuses("web", start=start)] == [False, True]
    assert rig.json("inspect", "web")["containers"][0]["restarts"] == 0


def ps_line(rig: Rig, name: str) -> str:
    return next(line for line in rig.command("ps").stdout.splitlines() if f"/{name} " in line)


def test_liveness_restarts_the_container_within_the_grace_of_its_probe(rig: Rig, scheduler: Scheduler) -> None:
    """An exec probe, a first process that ignores its signal, and the policy OnFailure."""
    probe = {"exec": {"command": ["sh", "-c", "cat /proc/uptime >> /tmp/asked; exit 1"]}, **FAST}
    pod = launch(
        rig,
        scheduler,
        "stubborn",
        command=STUBBORN,
        spec={"restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 60},
        livenessProbe={**probe, "initialDelaySeconds": 2, "terminationGracePeriodSeconds": 1},
    )
    (failed,) = wait_events(rig, scheduler, pod, "pod.probe_failed")
    assert (failed["probe"], failed["count"], failed["container"]) == ("liveness", 2, "app")
    (exited,) = wait_events(rig, scheduler, pod, "pod.container_exited")
    assert exited["exit_code"] == 137
    assert 0.9 < seconds(failed, exited) < 20
    (restarting,) = wait_events(rig, scheduler, pod, "pod.restarting")
    assert "liveness probe failed" in restarting["reason"] and restarting["delay_s"] == 0
    (running,) = events(rig, scheduler, pod, "pod.running")
    assert seconds(running, failed) > 3 - 0.2, "after its delay and one more period"
    assert wait_for(lambda: rig.json("inspect", "stubborn")["containers"][0]["restarts"] or None, 20) == 1
    scheduler.kill("stubborn", grace_s=0)
    scheduler.wait_status("stubborn", "TASK_KILLED", 20)


def seconds(first: dict[str, Any], then: dict[str, Any]) -> float:
    return (datetime.fromisoformat(then["time"]) - datetime.fromisoformat(first["time"])).total_seconds()


def test_the_startup_probe_comes_first_and_its_failure_ends_a_pod_that_is_not_restarted(
    rig: Rig, scheduler: Scheduler
) -> None:
    """tcpSocket on a port that nobody listens on; the liveness probe would fail at once."""
    launch(
        rig,
        scheduler,
        "never-up",
        startupProbe={"tcpSocket": {"port": 9999}, **FAST},
        livenessProbe={"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1},
    )
    failed = scheduler.wait_status("never-up", "TASK_FAILED", 30)
    assert "its startup probe failed: cannot connect to" in failed.message and "refused" in failed.message
    assert container(failed)["state"] == "exited" and not container(failed)["started"]


def test_a_startup_probe_that_passes_lets_the_others_begin(rig: Rig, scheduler: Scheduler) -> None:
    pod = launch(
        rig,
        scheduler,
        "slow",
        ports=PORTS,
        startupProbe={"exec": {"command": ["test", "-e", "/tmp/started"]}, "periodSeconds": 1, "failureThreshold": 30},
        livenessProbe={"exec": {"command": ["test", "-e", "/tmp/started"]}, "periodSeconds": 1, "failureThreshold": 1},
        readinessProbe={"tcpSocket": {"port": "web"}, **FAST},
    )
    execute(rig, pod, "touch", "/tmp/started")
    wait_health(scheduler, "slow", True)
    probes = [each["probe"] for each in events(rig, scheduler, pod, "pod.probe_passes")]
    assert probes == ["startup", "readiness"]
    assert not events(rig, scheduler, pod, "pod.probe_failed")


def test_a_command_that_hangs_is_killed_at_its_time_limit(rig: Rig, scheduler: Scheduler) -> None:
    pod = launch(
        rig, scheduler, "hangs", livenessProbe={"exec": {"command": ["sleep", "1000"]}, **FAST, "timeoutSeconds": 1}
    )
    failed = scheduler.wait_status("hangs", "TASK_FAILED", 40)
    assert "its liveness probe failed: no answer within 1 s" in failed.message
    (event,) = events(rig, scheduler, pod, "pod.probe_failed")
    (running,) = events(rig, scheduler, pod, "pod.running")
    assert seconds(running, event) > 1.9, "two probes of a second each"


def test_a_command_that_is_not_there_says_nothing_of_the_container(rig: Rig, scheduler: Scheduler) -> None:
    probe = {"exec": {"command": ["/missing"]}, "periodSeconds": 1, "failureThreshold": 1}
    pod = launch(rig, scheduler, "wrong", livenessProbe=probe)
    (event,) = wait_events(rig, scheduler, pod, "pod.probe_error")
    assert event["probe"] == "liveness" and "/missing" in event["error"]
    assert rig.json("inspect", "wrong")["state"] == "running"


def test_a_pod_on_the_nodes_network_is_asked_at_the_nodes_address(rig: Rig, scheduler: Scheduler) -> None:
    """grpc, of a server of this test."""
    from tests.support.health import serving

    with serving() as server:
        probe = {"grpc": {"port": server.port, "service": "ready"}, **FAST}
        launch(rig, scheduler, "host", spec={"hostNetwork": True}, command=("sleep", "1000"), readinessProbe=probe)
        wait_health(scheduler, "host", True)
        start = scheduler.mark()
        server.say(serves=False)
        assert "NOT_SERVING" in wait_health(scheduler, "host", False, start).message
    assert rig.json("inspect", "host")["containers"][0]["ready"] is False


def test_a_post_start_hook_comes_before_task_running(rig: Rig, scheduler: Scheduler) -> None:
    hook = {"exec": {"command": ["sh", "-c", "sleep 1; touch /tmp/hooked"]}}
    pod = launch(rig, scheduler, "hooked", lifecycle={"postStart": hook})
    execute(rig, pod, "test", "-e", "/tmp/hooked")
    (event,) = events(rig, scheduler, pod, "pod.hook")
    assert event["hook"] == "postStart" and event["duration_ms"] >= 1000


def test_a_post_start_hook_that_fails_ends_the_container(rig: Rig, scheduler: Scheduler) -> None:
    hook = {"httpGet": {"port": 9999}}
    scheduler.launch([rig.pod("unhooked", command=WEB, container={"lifecycle": {"postStart": hook}})], rig.executor())
    failed = scheduler.wait_status("unhooked", "TASK_FAILED", 30)
    assert "its postStart hook failed: GET http://" in failed.message


def test_the_message_of_the_end(rig: Rig, scheduler: Scheduler) -> None:
    """From its file, or from its output if it asks for that and its file is empty; bounded."""
    script = "echo ignored >&2; printf '%05000d' 7 > /dev/termination-log; echo the end >> /dev/termination-log; exit 3"
    run(rig, scheduler, "says", script)
    says = scheduler.wait_status("says", "TASK_FAILED", 30)
    assert says.message.startswith("container app exited with status 3: 000") and says.message.endswith("07the end")
    assert len(says.message) < 4200
    assert container(says)["exit_code"] == 3 and container(says)["message"].endswith("07the end")
    run(
        rig,
        scheduler,
        "logs",
        "echo first; echo last words >&2; exit 1",
        terminationMessagePolicy="FallbackToLogsOnError",
    )
    assert scheduler.wait_status("logs", "TASK_FAILED", 30).message.endswith("status 1: last words")
    run(rig, scheduler, "other", "echo done > /tmp/end; exit 0", terminationMessagePath="/tmp/end")
    assert scheduler.wait_status("other", "TASK_FINISHED", 30).message == "container app exited with status 0: done"


def test_a_link_in_the_place_of_the_message_is_not_followed(rig: Rig, scheduler: Scheduler) -> None:
    pod = launch(rig, scheduler, "linked", command=("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; exit 1"))
    path = Path(rig.json("inspect", "linked")["containers"][0]["log"]["stdout"]).with_suffix(".termination")
    path.unlink()
    path.symlink_to("/etc/passwd")
    execute(rig, pod, "touch", "/tmp/go")
    assert scheduler.wait_status("linked", "TASK_FAILED", 30).message == "container app exited with status 1"


def run(rig: Rig, scheduler: Scheduler, name: str, script: str, **fields: Any) -> None:
    scheduler.launch([rig.pod(name, command=("sh", "-c", script), container=fields)], rig.executor())
