"""The tasks of a LAUNCH_GROUP: each has its own grace, deadline and end, and one that fails ends the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from executor.mesos.status import TaskState
from executor.names import TaskId
from executor.pod.life.effects import After, Destroy, Kill, Report
from executor.pod.life.events import (
    ContainerExited,
    ContainerStarted,
    GraceOver,
    KillDue,
    Launch,
    RunOver,
    SandboxReady,
    Stop,
    StopCause,
)
from executor.pod.life.lifecycle import begin
from executor.spec.model import PodSpec
from tests.unit.pod.lives import KILL, finish, play, reports, running, spec

NONE: Mapping[str, float] = MappingProxyType({})


def test_in_a_group_each_task_is_told_when_its_container_ends() -> None:
    pod, effects = play(running(spec("a", "b", group=True)), ContainerExited("a", 1, 0))
    assert effects == [Report((TaskId("task-a"),), TaskState.FINISHED, None, "container a exited with status 0")]
    pod, effects = play(pod, ContainerExited("b", 1, 0))
    assert effects == [
        Report((TaskId("task-b"),), TaskState.FINISHED, None, "container b exited with status 0"),
        Destroy(),
    ]
    assert reports(finish(pod)[1]) == []


def test_in_a_group_a_failed_task_ends_the_others() -> None:
    pod, effects = play(running(spec("a", "b", group=True)), ContainerExited("a", 1, 3))
    assert reports(effects) == [(TaskState.FAILED, None), (TaskState.KILLING, None)]
    pod, _ = play(pod, ContainerExited("b", 1, 0))
    last = finish(pod)[1]
    assert last[0] == Report((TaskId("task-b"),), TaskState.KILLED, None, "task task-a of the same group failed")


def group(graces_s: Mapping[str, float] = NONE, deadlines_s: Mapping[str, float] = NONE) -> PodSpec:
    """Tasks a and b, with what is their own by name; the pod's grace is the longest."""
    made = spec("a", "b", group=True)
    containers = tuple(
        replace(one, grace_s=graces_s.get(one.name), deadline_s=deadlines_s.get(one.name)) for one in made.containers
    )
    return replace(made, containers=containers, termination_grace_s=max(graces_s.values(), default=3.0))


def test_a_task_of_a_group_that_ends_before_another_has_started_has_run() -> None:
    pod, _ = play(begin(spec("a", "b", group=True)), Launch(), SandboxReady(), ContainerStarted("a", 1, 1))
    pod, effects = play(pod, ContainerExited("a", 1, 0))
    assert reports(effects) == [(TaskState.RUNNING, None), (TaskState.FINISHED, None)]
    _, effects = play(pod, ContainerStarted("b", 1, 2))
    assert [each.tasks for each in effects if isinstance(each, Report)] == [(TaskId("task-b"),)]


def test_the_max_completion_time_of_a_task_kills_its_container_and_ends_the_group() -> None:
    pod, effects = play(begin(group(deadlines_s={"a": 60.0})), Launch(), SandboxReady(), ContainerStarted("a", 1, 1))
    assert After(60.0, RunOver("a", 1)) in effects
    pod, effects = play(pod, ContainerStarted("b", 1, 2), RunOver("a", 1))
    assert Kill("a", 1) in effects and (TaskState.KILLING, None) not in reports(effects)
    pod, effects = play(pod, ContainerExited("a", 1, 137))
    assert reports(effects) == [
        (TaskState.FAILED, "REASON_MAX_COMPLETION_TIME_REACHED"),
        (TaskState.KILLING, None),
    ]
    pod, _ = play(pod, ContainerExited("b", 1, 143))
    assert reports(finish(pod)[1]) == [(TaskState.KILLED, None)]


def test_the_max_completion_time_of_a_task_that_has_ended_ends_nothing() -> None:
    pod, _ = play(running(group(deadlines_s={"a": 60.0})), ContainerExited("a", 1, 0))
    assert play(pod, RunOver("a", 1)) == (pod, [])


@pytest.mark.parametrize("first", ["kill", "deadline"])
def test_the_max_completion_time_of_a_task_that_is_being_stopped_changes_nothing(first: str) -> None:
    pod, _ = play(running(group(deadlines_s={"a": 60.0})), KILL if first == "kill" else RunOver("a", 1))
    assert play(pod, RunOver("a", 1)) == (pod, [])


def test_each_task_of_a_group_has_its_own_grace() -> None:
    pod, effects = play(running(group(graces_s={"a": 5.0, "b": 60.0})), KILL)
    assert [each for each in effects if isinstance(each, After)] == [
        After(5.0, KillDue("a", 1)),
        After(60.0, GraceOver()),
    ]
    assert play(pod, KillDue("a", 1))[1] == [Kill("a", 1)]


def test_the_grace_of_a_kill_is_that_of_all_tasks() -> None:
    _, effects = play(running(group(graces_s={"a": 5.0, "b": 60.0})), Stop(StopCause.KILL, 20.0))
    assert [each for each in effects if isinstance(each, After)] == [After(20.0, GraceOver())]
