"""The life cycle as a table: every state with every event, and every path to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ImageFailure
from executor.mesos.status import TaskState
from executor.names import TaskId
from executor.pod import lifecycle
from executor.pod.lifecycle import IllegalTransition, begin, step
from executor.pod.model import (
    Abort,
    After,
    ContainerExited,
    ContainerStarted,
    Dead,
    Destroy,
    Effect,
    Event,
    GraceOver,
    Launch,
    NetworkReleased,
    Pod,
    Report,
    RestartDue,
    SandboxReady,
    SetUp,
    SetUpFailed,
    Start,
    StartFailed,
    State,
    Stop,
    StopCause,
    Stuck,
    TearDown,
    TearDownDue,
    Terminate,
    TornDown,
)
from executor.spec.model import RestartPolicy
from tests.unit.pod.lives import KILL, REVOKE, TERMINAL, spec

EVENTS: list[Event] = [
    Launch(),
    SandboxReady(),
    SetUpFailed(ImageFailure("no")),
    ContainerStarted("app", 1),
    StartFailed("app", ImageFailure("no")),
    ContainerExited("app", 0),
    ContainerExited("app", 1),
    RestartDue("app"),
    KILL,
    REVOKE,
    GraceOver(),
    Dead(),
    Stuck((1,)),
    NetworkReleased(),
    TornDown(),
    TornDown(("network: busy",)),
    TearDownDue(),
]


def reachable(policy: RestartPolicy) -> dict[State, Pod]:
    """One pod in each state, found by trying every event from NEW on."""
    found = {State.NEW: begin(spec(policy=policy))}
    queue = list(found.values())
    while queue:
        pod = queue.pop()
        for event in EVENTS:
            try:
                after, _ = step(pod, event)
            except IllegalTransition:
                continue
            if after.state not in found:
                found[after.state] = after
                queue.append(after)
    return found


@pytest.mark.parametrize("policy", list(RestartPolicy))
def test_every_state_is_reached_and_every_event_is_either_in_the_table_or_refused(policy: RestartPolicy) -> None:
    pods = reachable(policy)
    assert set(pods) == set(State)
    for state, pod in pods.items():
        for event in EVENTS:
            before = replace(pod)
            try:
                step(pod, event)
            except IllegalTransition:
                assert (state, type(event)) not in lifecycle._TABLE
            assert pod == before, "a step never changes the pod it was given"


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW])
def test_a_stop_is_heard_in_every_state(state: State) -> None:
    step(reachable(RestartPolicy.ALWAYS)[state], REVOKE)


class World:
    """Answers effects as the node would, in an order that hypothesis chooses; checks what must always hold."""

    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.pending: list[Event] = [Launch()]
        self.told: dict[TaskId, list[TaskState]] = {task: [] for task in pod.spec.task_ids}
        self.torn_down = 0

    def deliver(self, index: int) -> None:
        event = self.pending.pop(index % len(self.pending))
        self.post(event)

    def post(self, event: Event) -> None:
        self.pod, effects = step(self.pod, event)
        for effect in effects:
            self.answer(effect)

    def answer(self, effect: Effect) -> None:
        match effect:
            case SetUp():
                self.pending.append(SandboxReady())
            case Start():
                self.pending += [ContainerStarted(name, 1) for name in effect.containers]
            case After():
                self.pending.append(effect.event)
            case Terminate():
                self.pending += [ContainerExited(name, 143) for name in effect.containers]
            case Destroy():
                self.pending.append(Dead())
            case TearDown():
                self.torn_down += 1
                self.pending.append(TornDown())
            case Report():
                for task in effect.tasks:
                    told = self.told[task]
                    assert not TERMINAL & set(told), f"{task} was told {told} and then {effect.state}"
                    told.append(effect.state)
            case Abort():
                pass


@given(
    st.sampled_from(list(RestartPolicy)),
    st.booleans(),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from(["none", "kill", "revoke", "soft", "crash"])), max_size=30),
)
def test_every_path_ends_and_every_task_is_told_one_terminal_state(
    policy: RestartPolicy, group: bool, host_port: bool, script: list[tuple[int, str]]
) -> None:
    world = World(begin(spec("a", "b", policy=policy, group=group, host_port=host_port)))
    world.deliver(0)
    wishes: dict[str, Event] = {"kill": KILL, "revoke": REVOKE, "soft": Stop(StopCause.KILL, 900.0)}
    for index, wish in script:
        if wish in wishes:
            world.post(wishes[wish])
        elif wish == "crash" and world.pod.running:
            world.post(ContainerExited(world.pod.running[0], 1))
        elif world.pending and world.pod.state is not State.ENDED:
            deliver_in_order(world, index)
    world.post(REVOKE)
    for _ in range(200):
        if world.pod.state is State.ENDED:
            break
        deliver_in_order(world, 0)
    assert world.pod.state is State.ENDED
    assert world.torn_down == 1
    assert all(len(TERMINAL & set(told)) == 1 for told in world.told.values())


def deliver_in_order(world: World, index: int) -> None:
    """Dead comes only when every start has ended, as the runner guarantees; other events in any order."""
    candidates = [
        event
        for event in world.pending
        if not (isinstance(event, Dead) and any(isinstance(e, ContainerStarted | SandboxReady) for e in world.pending))
        and not (isinstance(event, TornDown) and any(isinstance(e, Dead) for e in world.pending))
    ]
    event = candidates[index % len(candidates)]
    world.pending.remove(event)
    world.post(event)
