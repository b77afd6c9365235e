"""The life cycle as a story: what happens to a pod, and what Mesos is told on the way."""

from __future__ import annotations

import pytest

from executor.errors import ImageFailure, NetworkFailure
from executor.mesos.status import TaskState
from executor.pod.life import lifecycle
from executor.pod.life.container_life import back_off_s
from executor.pod.life.effects import Abort, After, Destroy, Effect, Report, SetUp, Start, TearDown, Terminate
from executor.pod.life.events import (
    ContainerExited,
    ContainerStarted,
    Dead,
    Event,
    GraceOver,
    Launch,
    NetworkReleased,
    Oom,
    RestartDue,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    Stop,
    StopCause,
    Stuck,
    TearDownDue,
    TornDown,
)
from executor.pod.life.lifecycle import KILLED_TOGETHER_S, begin
from executor.pod.life.model import Phase, Pod, State
from executor.spec.model import RestartPolicy
from tests.unit.pod.lives import KILL, REVOKE, finish, play, reports, running, spec


def test_a_pod_that_ends_by_itself_is_told_step_by_step() -> None:
    pod, effects = play(
        begin(spec()),
        Launch(),
        SandboxReady(("10.0.0.2",)),
        ContainerStarted("app", 1, 7),
        ContainerExited("app", 1, 0),
        Dead(),
        TornDown(),
    )
    assert pod.state is State.ENDED
    assert [type(effect) for effect in effects] == [Report, SetUp, Start, Report, Destroy, Report, TearDown]
    assert reports(effects) == [(TaskState.STARTING, None), (TaskState.RUNNING, None), (TaskState.FINISHED, None)]
    assert pod.ips == ("10.0.0.2",)


def test_a_pod_that_cannot_be_set_up_fails_with_the_errors_reason_and_message() -> None:
    error = NetworkFailure("plugin bridge failed", subject="network podnet", hint="look at the bridge")
    pod, effects = play(begin(spec()), Launch(), SetUpFailed(error))
    assert effects[-1] == Destroy(), "what was made is killed and torn down as on every other way out"
    _, last = finish(pod)
    assert reports(last) == [(TaskState.FAILED, "REASON_CONTAINER_LAUNCH_FAILED")]
    assert isinstance(last[0], Report) and last[0].message == str(error)


def test_a_container_that_cannot_be_started_ends_the_pod() -> None:
    pod, _ = play(begin(spec("a", "b")), Launch(), SandboxReady())
    pod, effects = play(pod, ContainerStarted("a", 1, 1), StartFailed("b", 1, ImageFailure("no such file")))
    assert pod.state is State.DESTROYING and effects == [Destroy()]
    assert reports(finish(pod)[1])[0][0] is TaskState.FAILED


def test_running_is_reported_once_every_container_runs() -> None:
    pod, effects = play(begin(spec("a", "b")), Launch(), SandboxReady(), ContainerStarted("a", 1, 1))
    assert pod.state is State.STARTING and (TaskState.RUNNING, None) not in reports(effects)
    pod, effects = step_list(pod, ContainerStarted("b", 1, 2))
    assert reports(effects) == [(TaskState.RUNNING, None)]


def step_list(pod: Pod, event: Event) -> tuple[Pod, list[Effect]]:
    return play(pod, event)


def test_a_container_that_ends_before_its_sibling_started_does_not_hide_running() -> None:
    pod, effects = play(
        begin(spec("a", "b")), Launch(), SandboxReady(), ContainerStarted("a", 1, 1), ContainerExited("a", 1, 0)
    )
    assert pod.state is State.STARTING
    pod, effects = step_list(pod, ContainerStarted("b", 1, 2))
    assert pod.state is State.RUNNING and reports(effects) == [(TaskState.RUNNING, None)]


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [
        (RestartPolicy.ALWAYS, 0, True),
        (RestartPolicy.ALWAYS, 1, True),
        (RestartPolicy.ON_FAILURE, 0, False),
        (RestartPolicy.ON_FAILURE, 1, True),
        (RestartPolicy.NEVER, 1, False),
    ],
)
def test_the_restart_policy_decides(policy: RestartPolicy, code: int, restarts: bool) -> None:
    pod, effects = step_list(running(spec(policy=policy)), ContainerExited("app", 1, code))
    assert (After(0.0, RestartDue("app")) in effects) == restarts
    assert pod.state is (State.RUNNING if restarts else State.DESTROYING)


def test_a_restart_is_a_fresh_start_and_counts() -> None:
    pod, effects = play(running(spec(policy=RestartPolicy.ALWAYS)), ContainerExited("app", 1, 1), RestartDue("app"))
    assert effects[-1] == Start("app", 2, fresh=True)
    pod, _ = play(pod, ContainerStarted("app", 2, 9), ContainerExited("app", 2, 1))
    assert pod.containers["app"].restarts == 1
    pod, effects = play(pod, RestartDue("app"), StartFailed("app", 3, ImageFailure("gone")))
    assert pod.state is State.RUNNING, "a restart that fails is one more crash, not the pod's end"
    assert effects[-1] == After(20.0, RestartDue("app"))


def test_the_back_off_doubles_to_five_minutes_and_is_forgotten_after_ten_of_running() -> None:
    assert [back_off_s(n) for n in range(8)] == [0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    pod = running(spec(policy=RestartPolicy.ALWAYS))
    for run in range(1, 4):
        pod, _ = play(pod, ContainerExited("app", run, 1), RestartDue("app"), ContainerStarted("app", run + 1, 1))
    pod, effects = step_list(pod, ContainerExited("app", 4, 1, ran_s=601.0))
    assert effects == [After(0.0, RestartDue("app"))]


def test_a_kill_gives_the_pods_grace_then_destroys() -> None:
    pod, effects = step_list(running(), KILL)
    assert effects[1:] == [Terminate("app", 1), After(30.0, GraceOver())]
    assert reports(effects) == [(TaskState.KILLING, None)]
    pod, effects = step_list(pod, GraceOver())
    assert effects == [Destroy()]
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, None)]


def test_a_killed_pod_that_obeys_needs_no_more_grace_and_is_killed_whatever_its_exit_code() -> None:
    pod, _ = play(running(), KILL, ContainerExited("app", 1, 0))
    assert pod.state is State.DESTROYING
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, None)], "never TASK_FINISHED for a killed task"


def test_a_kill_during_launch_aborts_it() -> None:
    pod, effects = play(begin(spec()), Launch(), KILL)
    assert effects[-2:] == [Abort(), Destroy()]
    pod, effects = play(pod, SetUpFailed(ImageFailure("given up")), Dead())
    assert reports(effects) == [(TaskState.KILLED, "REASON_TASK_KILLED_DURING_LAUNCH")]


def test_a_container_that_starts_after_the_stop_is_told_to_end_at_once() -> None:
    pod, _ = play(begin(spec("a", "b")), Launch(), SandboxReady(), ContainerStarted("a", 1, 1), KILL)
    pod, effects = play(pod, ContainerExited("a", 1, 0))
    assert pod.state is State.STOPPING, "b's start is still under way"
    pod, effects = step_list(pod, ContainerStarted("b", 1, 2))
    assert effects == [Terminate("b", 1)]


def test_a_revocation_without_grace_destroys_at_once_and_is_gone_by_preemption() -> None:
    pod, effects = step_list(running(), REVOKE)
    assert effects == [Destroy(collect_output=False)], "no TASK_KILLING for what is gone a moment later"
    last = finish(pod)[1]
    assert reports(last) == [(TaskState.GONE, "REASON_CONTAINER_PREEMPTED")]
    assert isinstance(last[0], Report) and last[0].revocation == "r-1"


def test_a_revoked_pod_leaves_the_end_of_its_grace_to_the_kill_of_all_victims() -> None:
    """Timers of 50 pods that end at that moment too would kill them one by one."""
    revoke = Stop(StopCause.REVOKED, 5.0)
    for before in (running(), play(running(), Stop(StopCause.KILL, 600.0))[0]):
        pod, effects = step_list(before, revoke)
        assert effects[-1] == After(5.0 + KILLED_TOGETHER_S, GraceOver()), "in case that kill does not come"
        assert step_list(pod, revoke)[1] == []
        pod, effects = step_list(pod, GraceOver())
        assert pod.state is State.DESTROYING and pod.stop is not None and pod.stop.grace_s == 5.0


def test_a_revoked_pod_that_does_not_die_is_told_of() -> None:
    (report,) = step_list(play(running(), REVOKE)[0], Stuck((7, 8)))[1]
    assert isinstance(report, Report) and report.state is TaskState.KILLING
    assert (report.message, report.revocation) == ("revoked by r-1; its processes 7, 8 do not die", "r-1")
    ended, _ = play(running(), ContainerExited("app", 1, 0))
    assert reports(play(ended, Stuck((7,)))[1]) == [], "nobody asked for its end"


def test_a_harder_stop_overtakes_and_a_softer_one_does_not_slow_down() -> None:
    pod, _ = play(running(), Stop(StopCause.KILL, 600.0))
    pod, effects = step_list(pod, Stop(StopCause.DISK, 5.0))
    assert effects == [After(5.0, GraceOver())]
    pod, effects = step_list(pod, Stop(StopCause.KILL, 60.0))
    assert effects == []
    pod, effects = step_list(pod, REVOKE)
    assert effects == [Destroy()]
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, None)], "the first cause is the outcome"


def test_a_start_that_fails_once_its_process_has_run_does_not_end_the_pod() -> None:
    """containerd's answer may come after the end of the process that it started."""
    always = play(begin(spec(policy=RestartPolicy.ALWAYS)), Launch(), SandboxReady())[0]
    pod, effects = play(always, ContainerExited("app", 1, 0), StartFailed("app", 1, ImageFailure("late")))
    assert pod.containers["app"].phase is Phase.BACKING_OFF and Destroy() not in effects


def test_what_could_not_be_removed_stays_known() -> None:
    pod, _ = play(running(), REVOKE, Dead(), TornDown(("network: busy",)))
    assert (pod.state, pod.leaked) == (State.ENDED, ("network: busy",))


def test_a_stop_while_backing_off_does_not_wait_for_anything() -> None:
    pod, _ = play(running(spec(policy=RestartPolicy.ALWAYS)), ContainerExited("app", 1, 1))
    pod, effects = step_list(pod, KILL)
    assert effects[-1] == Destroy()
    assert play(pod, RestartDue("app"))[1] == [], "the timer that outlived it starts nothing"


def test_a_deadline_fails_the_task() -> None:
    pod, effects = play(begin(spec(deadline_s=60)), Launch())
    timer = next(effect for effect in effects if isinstance(effect, After))
    assert timer.delay_s == 60
    pod, _ = play(pod, SandboxReady(), ContainerStarted("app", 1, 1), timer.event, GraceOver())
    assert reports(finish(pod)[1]) == [(TaskState.FAILED, "REASON_MAX_COMPLETION_TIME_REACHED")]


def test_out_of_memory_is_named_with_its_level() -> None:
    pod, _ = play(running(), ContainerExited("app", 1, 137, Oom("container", 4 << 20)))
    last = finish(pod)[1]
    assert reports(last) == [(TaskState.FAILED, "REASON_CONTAINER_LIMITATION_MEMORY")]
    assert isinstance(last[0], Report) and "its own limit of 4194304 bytes" in last[0].message


@pytest.mark.parametrize(("kills", "words"), [(0, ""), (1, "1 process of it"), (2, "2 processes of it")])
def test_a_failure_after_the_kernel_killed_children_for_memory_says_so(kills: int, words: str) -> None:
    """It is no proof that the failure comes from that, so the reason is none."""
    failed, _ = play(running(), ContainerExited("app", 1, 3, oom_kills=kills))
    assert failed.outcome is not None and reports(finish(failed)[1]) == [(TaskState.FAILED, None)]
    memory = words and f"; the kernel killed {words} for memory"
    assert failed.outcome.message == f"container app exited with status 3{memory}"
    finished, _ = play(running(), ContainerExited("app", 1, 0, oom_kills=kills))
    assert finished.outcome is not None and "memory" not in finished.outcome.message


def test_host_ports_are_free_before_mesos_hears_of_the_end() -> None:
    pod, effects = play(running(spec(host_port=True)), ContainerExited("app", 1, 0), Dead())
    assert effects[-1] == TearDown() and reports(effects) == []
    assert reports(play(pod, TornDown())[1]) == [(TaskState.FINISHED, None)]


def test_the_end_is_told_once_the_ports_are_free_whatever_else_is_left() -> None:
    pod, _ = play(running(spec(host_port=True)), ContainerExited("app", 1, 0), Dead())
    pod, effects = step_list(pod, NetworkReleased())
    assert reports(effects) == [(TaskState.FINISHED, None)] and pod.state is State.TEARING_DOWN
    ended, effects = step_list(pod, TornDown(("task app: containerd is away",)))
    assert effects == [] and ended.state is State.ENDED and ended.leaked


def test_host_ports_that_could_not_be_given_back_are_tried_again_before_mesos_hears_of_the_end() -> None:
    pod, _ = play(running(spec(host_port=True)), ContainerExited("app", 1, 0), Dead())
    for pause_s in lifecycle.TEAR_DOWN_AGAIN_S:
        pod, effects = step_list(pod, TornDown(("network: busy",)))
        assert effects == [After(pause_s, TearDownDue())] and pod.state is State.TEARING_DOWN
        pod, effects = step_list(pod, TearDownDue())
        assert effects == [TearDown()]
    ended, effects = step_list(pod, TornDown())
    assert reports(effects) == [(TaskState.FINISHED, None)] and ended.leaked == ()
    ended, effects = step_list(pod, TornDown(("network: busy",)))
    assert reports(effects) == [(TaskState.FINISHED, None)] and ended.leaked, "not for ever"


def test_an_exit_that_overtakes_its_start_is_not_undone() -> None:
    pod, _ = play(begin(spec("a", "b")), Launch(), SandboxReady())
    pod, _ = play(pod, ContainerExited("a", 1, 0), ContainerStarted("a", 1, 1), ContainerStarted("b", 1, 2))
    assert pod.containers["a"].phase is Phase.EXITED
    pod, effects = step_list(pod, ContainerExited("b", 1, 0))
    assert effects == [Destroy()], "both are through"


def test_an_exit_that_is_told_twice_restarts_once() -> None:
    pod, _ = play(running(spec(policy=RestartPolicy.ALWAYS)), ContainerExited("app", 1, 1))
    pod, effects = step_list(pod, ContainerExited("app", 1, 1))
    assert effects == []
    pod, _ = play(pod, RestartDue("app"), ContainerStarted("app", 1, 9))
    assert play(pod, RestartDue("app"))[1] == [], "a second timer must not end the container that runs"


def test_a_container_of_a_pod_that_is_killed_is_not_ready() -> None:
    """However long its processes live on after SIGKILL."""
    pod = running()
    assert all(map(pod.is_ready, pod.containers.values()))
    pod = play(pod, REVOKE, Stuck((7,)))[0]
    assert pod.state is State.DESTROYING and pod.containers["app"].ready
    assert not any(map(pod.is_ready, pod.containers.values()))
