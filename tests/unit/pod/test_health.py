"""What Mesos is told of probes: whether tasks are healthy, and what checks have found."""

from __future__ import annotations

from executor.mesos.status import Capabilities, TaskState
from executor.names import TaskId
from executor.pod.life.effects import Report, StartProbes, StopProbes, Terminate
from executor.pod.life.events import ContainerExited, ContainerStarted, Launch, Probed, SandboxReady
from executor.pod.life.lifecycle import begin
from executor.pod.life.model import Pod, State
from executor.probes.state import Verdict
from executor.reporting.status_updates import updates
from executor.spec.model import RestartPolicy
from executor.spec.probes import Exec, HttpGet, Kind, Probe, Probes, TcpSocket
from tests.unit.pod.lives import TASK, finish, play, reports, running, spec

COMMAND = Probe(Exec(("true",)))
READY, NOT_READY = Verdict(Kind.READINESS, ok=True), Verdict(Kind.READINESS, ok=False, message="status 503")


def probed(probes: Probes, policy: RestartPolicy = RestartPolicy.NEVER) -> Pod:
    return running(spec(probes=probes, policy=policy))


def health_of(effects: list[object]) -> list[tuple[bool | None, str | None, str]]:
    return [(each.healthy, each.reason, each.message) for each in effects if isinstance(each, Report)]


def test_readiness_goes_into_the_status_when_it_changes() -> None:
    pod = probed(Probes(readiness=COMMAND))
    assert pod.healthy == {TASK: False}
    updated = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
    pod, effects = play(pod, Probed("app", 1, READY))
    assert health_of([*effects]) == [(True, updated, "")]
    assert play(pod, Probed("app", 1, READY))[1] == [], "told once"
    pod, effects = play(pod, Probed("app", 1, NOT_READY))
    assert health_of([*effects]) == [(False, updated, "status 503")]
    report = effects[0]
    assert isinstance(report, Report)
    (update,) = updates(report, Capabilities())
    assert (update["state"], update["healthy"], update["message"]) == ("TASK_RUNNING", False, "status 503")


def test_a_pod_without_probes_says_nothing_of_health() -> None:
    pod = running()
    assert pod.healthy == {TASK: None}
    assert [each for each in play(pod, Probed("app", 1, READY))[1] if isinstance(each, Report)] == []


def test_the_health_of_a_mesos_task_is_unknown_until_its_first_result() -> None:
    pod = probed(Probes(health=COMMAND))
    assert pod.healthy == {TASK: None}
    pod, effects = play(pod, Probed("app", 1, Verdict(Kind.HEALTH, ok=True)))
    assert health_of([*effects])[0][0] is True
    fatal = Verdict(Kind.HEALTH, ok=False, fatal=True, message="no answer")
    pod, effects = play(pod, Probed("app", 1, fatal))
    assert Terminate("app", 1) in effects and StopProbes("app") in effects
    pod, _ = play(pod, ContainerExited("app", 1, 143))
    assert pod.state is State.DESTROYING
    assert pod.outcome is not None and pod.outcome.state is TaskState.KILLED
    assert pod.outcome.message == "container app was stopped because its health check failed: no answer"
    effects = finish(pod)[1]
    assert reports(effects) == [(TaskState.KILLED, None)]
    assert [each.healthy for each in effects if isinstance(each, Report)] == [False]


def test_a_restart_makes_a_task_unhealthy_until_it_is_ready_again() -> None:
    pod, _ = play(probed(Probes(readiness=COMMAND), RestartPolicy.ALWAYS), Probed("app", 1, READY))
    pod, effects = play(pod, ContainerExited("app", 1, 1))
    assert health_of([*effects])[0][0] is False
    assert StopProbes("app") in effects


def test_in_a_group_each_task_has_its_own_health() -> None:
    pod = running(spec("a", "b", group=True, probes=Probes(readiness=COMMAND)))
    pod, effects = play(pod, Probed("b", 1, READY))
    assert [each.tasks for each in effects if isinstance(each, Report)] == [(TaskId("task-b"),)]
    assert pod.healthy == {TaskId("task-a"): False, TaskId("task-b"): True}


def test_a_check_tells_its_value_and_nothing_else() -> None:
    for action, value, told in (
        (Exec(("true",)), 3, {"type": "COMMAND", "command": {"exit_code": 3}}),
        (HttpGet(80), 503, {"type": "HTTP", "http": {"status_code": 503}}),
        (TcpSocket(80), False, {"type": "TCP", "tcp": {"succeeded": False}}),
    ):
        pod = probed(Probes(check=Probe(action)))
        assert pod.healthy == {TASK: None}
        pod, effects = play(pod, Probed("app", 1, Verdict(Kind.CHECK, ok=False, value=value)))
        (report,) = [each for each in effects if isinstance(each, Report)]
        assert (report.reason, report.healthy) == ("REASON_TASK_CHECK_STATUS_UPDATED", None)
        (update,) = updates(report, Capabilities())
        assert update["check_status"] == told and "healthy" not in update


def test_the_first_running_has_the_form_of_the_check() -> None:
    check = spec(probes=Probes(check=Probe(HttpGet(80))))
    _, effects = play(begin(check), Launch(), SandboxReady(), ContainerStarted("app", 1, 7))
    assert StartProbes("app", 1) in effects
    report = effects[-1]
    assert isinstance(report, Report) and report.state is TaskState.RUNNING
    assert report.check_status == {"type": "HTTP", "http": {}}
