"""How a pod ends that used too much disk, and what Mesos is told of it."""

from __future__ import annotations

from executor.mesos.status import DISK_LIMIT, Capabilities, TaskState
from executor.pod.life.effects import Abort, Destroy, Report, TearDown
from executor.pod.life.events import ContainerExited, Dead, Launch, Stop, StopCause, TornDown
from executor.pod.life.lifecycle import begin, step
from executor.pod.life.model import State
from executor.reporting.status_updates import updates
from tests.unit.pod.lives import play, running, spec

OVER = Stop(StopCause.DISK, 0.0, "the pod uses too much", limit_bytes=32 << 20)
ABLE = Capabilities(partition_aware=True, task_killing_state=True)


def test_it_is_killed_at_once_and_told_when_its_files_are_gone() -> None:
    pod, effects = step(running(), OVER)
    assert pod.state is State.DESTROYING and pod.over_disk
    assert effects == (Destroy(),), "no TASK_KILLING: it gets no time"
    pod, _ = step(pod, ContainerExited("app", 1, 137))
    pod, effects = step(pod, Dead())
    assert effects == (TearDown(over_disk=True),), "on a terminal status the agent takes the task's disk from the quota"
    pod, effects = step(pod, TornDown())
    (report,) = effects
    assert isinstance(report, Report)
    assert (report.state, report.reason, report.message) == (TaskState.FAILED, DISK_LIMIT, "the pod uses too much")
    (update,) = updates(report, ABLE)
    assert update["limitation"] == {"resources": [{"name": "disk", "type": "SCALAR", "scalar": {"value": 32.0}}]}


def test_files_that_cannot_be_removed_do_not_hold_its_end_up() -> None:
    pod, _ = play(running(), OVER, ContainerExited("app", 1, 137), Dead())
    pod, effects = step(pod, TornDown(("files: immutable",)))
    assert pod.state is State.ENDED and [type(each) for each in effects] == [Report]


def test_one_that_is_being_set_up_is_given_up() -> None:
    pod, _ = play(begin(spec()), Launch())
    pod, effects = step(pod, OVER)
    assert pod.state is State.DESTROYING and [type(each) for each in effects] == [Abort, Destroy]


def test_the_first_cause_stands() -> None:
    pod, _ = play(running(), Stop(StopCause.KILL, 60.0))
    pod, effects = step(pod, OVER)
    assert effects == (Destroy(),) and not pod.over_disk, "it ends now, as killed"
    assert pod.outcome is not None and pod.outcome.state is TaskState.KILLED
