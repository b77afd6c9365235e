"""Init containers and sidecars: in which order they start and stop, and what the failure of one means."""

from __future__ import annotations

from executor.errors import ImageFailure
from executor.mesos.status import TaskState
from executor.pod.life.effects import After, Destroy, Report, Start, StartProbes, Terminate
from executor.pod.life.events import (
    ContainerExited,
    ContainerStarted,
    GraceOver,
    Launch,
    Probed,
    RestartDue,
    SandboxReady,
    StartFailed,
    Stop,
    StopCause,
)
from executor.pod.life.lifecycle import begin
from executor.pod.life.model import Pod, State
from executor.probes.state import Verdict
from executor.spec.model import RestartPolicy
from executor.spec.probes import Exec, Kind, Probe, Probes
from tests.unit.pod.lives import KILL, REVOKE, finish, play, reports, spec


def launched(*init: str, sidecars: tuple[str, ...] = (), policy: RestartPolicy = RestartPolicy.NEVER) -> Pod:
    return play(begin(spec(init=init, sidecars=sidecars, policy=policy)), Launch(), SandboxReady())[0]


def test_init_containers_run_one_after_the_other_and_then_the_main_ones() -> None:
    pod, effects = play(begin(spec("a", "b", init=("one", "two"))), Launch(), SandboxReady())
    assert pod.state is State.INITIALIZING and effects[-1] == Start("one", 1)
    pod, effects = play(pod, ContainerStarted("one", 1, 1))
    assert effects == []
    pod, effects = play(pod, ContainerExited("one", 1, 0))
    assert effects == [Start("two", 1)]
    pod, effects = play(pod, ContainerStarted("two", 1, 2), ContainerExited("two", 1, 0))
    assert effects == [Start("a", 1), Start("b", 1)] and pod.state is State.STARTING
    pod, effects = play(pod, ContainerStarted("a", 1, 3), ContainerStarted("b", 1, 4))
    assert pod.state is State.RUNNING and reports(effects) == [(TaskState.RUNNING, None)]


def test_an_init_container_that_fails_fails_a_pod_that_is_never_restarted() -> None:
    pod, effects = play(launched("one", "two"), ContainerStarted("one", 1, 1), ContainerExited("one", 1, 3))
    assert effects == [Destroy()] and pod.state is State.DESTROYING
    last = finish(pod)[1]
    assert reports(last) == [(TaskState.FAILED, None)]
    assert isinstance(last[0], Report) and last[0].message == "init container one exited with status 3"


def test_an_init_container_that_fails_is_run_again_until_it_succeeds() -> None:
    for policy in (RestartPolicy.ON_FAILURE, RestartPolicy.ALWAYS):
        pod, effects = play(launched("one", policy=policy), ContainerStarted("one", 1, 1), ContainerExited("one", 1, 3))
        assert effects == [After(0.0, RestartDue("one"))] and pod.state is State.INITIALIZING
        pod, effects = play(pod, RestartDue("one"), ContainerStarted("one", 2, 2), ContainerExited("one", 2, 3))
        assert effects == [Start("one", 2, fresh=True), After(10.0, RestartDue("one"))]
        pod, effects = play(pod, RestartDue("one"), StartFailed("one", 3, ImageFailure("no")))
        assert pod.state is State.INITIALIZING and effects[-1] == After(20.0, RestartDue("one"))
        pod, effects = play(pod, RestartDue("one"), ContainerStarted("one", 4, 4), ContainerExited("one", 4, 0))
        assert effects[-1] == Start("app", 1) and pod.state is State.STARTING


def test_an_init_container_that_cannot_be_started_ends_the_pod() -> None:
    pod, effects = play(launched("one", policy=RestartPolicy.ALWAYS), StartFailed("one", 1, ImageFailure("no sh")))
    assert effects == [Destroy()]
    assert pod.outcome is not None and pod.outcome.message == "no sh"


def test_a_sidecar_holds_up_the_next_container_only_until_it_is_started() -> None:
    pod, effects = play(begin(spec(sidecars=("proxy",), init=("one",))), Launch(), SandboxReady())
    pod, effects = play(pod, ContainerStarted("one", 1, 1), ContainerExited("one", 1, 0))
    assert effects == [Start("proxy", 1)]
    pod, effects = play(pod, ContainerStarted("proxy", 1, 2))
    assert effects == [Start("app", 1)]


def test_a_sidecar_with_a_startup_probe_is_started_once_it_has_passed() -> None:
    probes = Probes(startup=Probe(Exec(("true",))))
    pod, _ = play(begin(spec(sidecars=("proxy",), probes=probes)), Launch(), SandboxReady())
    pod, effects = play(pod, ContainerStarted("proxy", 1, 2))
    assert effects == [StartProbes("proxy", 1)] and pod.state is State.INITIALIZING
    pod, effects = play(pod, Probed("proxy", 1, Verdict(Kind.STARTUP, ok=True)))
    assert effects == [Start("app", 1)]


def test_a_sidecar_is_restarted_whatever_the_pods_policy_is() -> None:
    pod, _ = play(launched(sidecars=("proxy",)), ContainerStarted("proxy", 1, 1), ContainerStarted("app", 1, 2))
    assert pod.state is State.RUNNING
    pod, effects = play(pod, ContainerExited("proxy", 1, 0))
    assert effects == [After(0.0, RestartDue("proxy"))] and pod.state is State.RUNNING


def with_sidecars() -> Pod:
    pod = launched(sidecars=("first", "second"))
    starts = [ContainerStarted(name, 1, number) for number, name in enumerate(("first", "second", "app"), 1)]
    pod, _ = play(pod, *starts)
    assert pod.state is State.RUNNING
    return pod


def test_sidecars_are_stopped_in_reverse_order_after_the_main_containers_have_ended() -> None:
    pod, effects = play(with_sidecars(), ContainerExited("app", 1, 0))
    assert effects == [Terminate("second", 1), After(30.0, GraceOver())] and pod.state is State.STOPPING
    pod, effects = play(pod, ContainerExited("second", 1, 143))
    assert effects == [Terminate("first", 1)]
    pod, effects = play(pod, ContainerExited("first", 1, 1))
    assert effects == [Destroy()]
    last = finish(pod)[1]
    assert reports(last) == [(TaskState.FINISHED, None)], "how sidecars end does not count"


def test_a_kill_stops_the_main_containers_before_the_sidecars() -> None:
    pod, effects = play(with_sidecars(), KILL)
    assert effects[1:] == [Terminate("app", 1), After(30.0, GraceOver())]
    pod, effects = play(pod, ContainerExited("first", 1, 1))
    assert effects == [], "a sidecar that ends early is not restarted, and changes no turn"
    pod, effects = play(pod, ContainerExited("app", 1, 143))
    assert effects == [Terminate("second", 1)]
    pod, effects = play(pod, GraceOver())
    assert effects == [Destroy()]
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, None)]


def test_a_kill_during_the_init_containers() -> None:
    pod, _ = play(
        launched("one", "two", sidecars=("proxy",)), ContainerStarted("one", 1, 1), ContainerExited("one", 1, 0)
    )
    pod, _ = play(pod, ContainerStarted("proxy", 1, 2), ContainerStarted("two", 1, 3))
    pod, effects = play(pod, KILL)
    assert effects[1:] == [Terminate("two", 1), After(30.0, GraceOver())]
    pod, effects = play(pod, ContainerExited("two", 1, 0))
    assert effects == [Terminate("proxy", 1)], "no main container is started"
    pod, effects = play(pod, ContainerExited("proxy", 1, 0))
    assert effects == [Destroy()]
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, "REASON_TASK_KILLED_DURING_LAUNCH")]


def test_a_revocation_during_the_init_containers_destroys_at_once() -> None:
    pod, effects = play(launched("one"), ContainerStarted("one", 1, 1), REVOKE)
    assert effects == [Destroy(collect_output=False)] and not pod.exited
    assert reports(finish(pod)[1]) == [(TaskState.GONE, "REASON_CONTAINER_PREEMPTED")]


def test_a_deadline_counts_the_init_containers_too() -> None:
    pod, _ = play(launched("one"), ContainerStarted("one", 1, 1), Stop(StopCause.DEADLINE, 0.0))
    assert reports(finish(pod)[1]) == [(TaskState.FAILED, "REASON_MAX_COMPLETION_TIME_REACHED")]
