"""The life cycle as a table: every state with every event, and every path to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ImageFailure
from executor.mesos.status import TaskState
from executor.names import TaskId
from executor.pod.life import container_life, lifecycle
from executor.pod.life.container_life import IllegalTransition
from executor.pod.life.effects import (
    After,
    CollectOutput,
    Destroy,
    Effect,
    Kill,
    Report,
    SetUp,
    Start,
    StartProbes,
    TearDown,
    Terminate,
)
from executor.pod.life.events import (
    ContainerExited,
    ContainerStarted,
    Dead,
    Event,
    GraceOver,
    KillDue,
    Launch,
    NetworkReleased,
    OutputCollected,
    PostStartEnded,
    Probed,
    RestartDue,
    RunOver,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    Stop,
    StopCause,
    Stuck,
    TearDownDue,
    TornDown,
)
from executor.pod.life.lifecycle import begin, step
from executor.pod.life.model import Pod, State
from executor.probes.state import Verdict
from executor.spec.model import RestartPolicy
from executor.spec.probes import NO_PROBES, Exec, Kind, Probe, Probes
from tests.unit.pod.lives import KILL, REVOKE, TERMINAL, spec

EVENTS: list[Event] = [
    Launch(),
    SandboxReady(),
    SetUpFailed(ImageFailure("no")),
    ContainerStarted("app", 1, 1),
    StartFailed("app", 1, ImageFailure("no")),
    PostStartEnded("app", 1),
    Probed("app", 1, Verdict(Kind.READINESS, ok=True)),
    ContainerExited("app", 1, 0),
    ContainerExited("app", 1, 1),
    OutputCollected("app", 1),
    RestartDue("app"),
    KillDue("app", 1),
    RunOver("app", 1),
    ContainerStarted("before", 1, 1),
    ContainerExited("before", 1, 0),
    OutputCollected("before", 1),
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


PROBE = Probe(Exec(("true",)))
PROBES = Probes(startup=PROBE, liveness=PROBE, readiness=PROBE)
VERDICTS = (
    Verdict(Kind.STARTUP, ok=True),
    Verdict(Kind.READINESS, ok=True),
    Verdict(Kind.LIVENESS, ok=False, fatal=True, message="no answer"),
)


def reachable(policy: RestartPolicy) -> list[Pod]:
    """One pod for each state with each combination of its containers' phases, found by trying every event."""
    first = begin(spec(policy=policy, init=("before",)))
    found, queue = {_key(first): first}, [first]
    while queue:
        pod = queue.pop()
        for event in EVENTS:
            try:
                after, _ = step(pod, event)
            except IllegalTransition:
                continue
            if _key(after) not in found:
                found[_key(after)] = after
                queue.append(after)
    return list(found.values())


def _key(pod: Pod) -> tuple[object, ...]:
    return pod.state, *(each.phase for each in pod.containers.values())


@pytest.mark.parametrize("policy", list(RestartPolicy))
def test_every_state_is_reached_and_every_event_is_either_in_the_table_or_refused(policy: RestartPolicy) -> None:
    pods = reachable(policy)
    assert {pod.state for pod in pods} == set(State)
    for pod in pods:
        for event in EVENTS:
            before = replace(pod)
            try:
                step(pod, event)
            except IllegalTransition:
                refused = (pod.state, type(event)) not in lifecycle.TABLE
                assert refused or _container_refuses(pod, event)
            assert pod == before, "a step never changes the pod it was given"


def _container_refuses(pod: Pod, event: Event) -> bool:
    """A container may refuse an event that its pod takes."""
    name = getattr(event, "container", None)
    return name is not None and (pod.containers[name].phase, type(event)) not in container_life.TABLE


@pytest.mark.parametrize("state", [state for state in State if state is not State.NEW])
def test_a_stop_is_heard_in_every_state(state: State) -> None:
    for pod in reachable(RestartPolicy.ALWAYS):
        if pod.state is state:
            step(pod, REVOKE)


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
            case TearDown():
                self.torn_down += 1
                self.pending.append(TornDown())
            case Report():
                for task in effect.tasks:
                    told = self.told[task]
                    assert not TERMINAL & set(told), f"{task} was told {told} and then {effect.state}"
                    told.append(effect.state)
            case _:
                self.pending += answers(effect)


def answers(effect: Effect) -> list[Event]:  # noqa: PLR0911 one for each kind
    """The events in which an effect ends."""
    match effect:
        case SetUp():
            return [SandboxReady()]
        case Start():
            return [ContainerStarted(effect.container, effect.run, 1)]
        case After():
            return [effect.event]
        case Terminate():
            return [ContainerExited(effect.container, effect.run, 143)]
        case Kill():
            return [ContainerExited(effect.container, effect.run, 137)]
        case CollectOutput():
            return [OutputCollected(effect.container, effect.run)]
        case StartProbes():
            return [Probed(effect.container, effect.run, verdict) for verdict in VERDICTS]
        case Destroy():
            return [Dead()]
        case _:
            return []


WISHES = ("none", "none", "end", "kill", "revoke", "soft", "crash")


@given(
    st.sampled_from(list(RestartPolicy)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(
        st.tuples(st.integers(0, 50), st.sampled_from(["none", "none", "end", "kill", "revoke", "soft", "crash"])),
        max_size=30,
    ),
)
def test_every_path_ends_and_every_task_is_told_one_terminal_state(
    policy: RestartPolicy,
    group: bool,
    host_port: bool,
    init: bool,
    probed: bool,
    script: list[tuple[int, str]],
) -> None:
    init = init and not group
    world = World(
        begin(
            spec(
                "a",
                "b",
                policy=policy,
                group=group,
                host_port=host_port,
                init=("one", "two") if init else (),
                sidecars=("left", "right") if init else (),
                probes=PROBES if probed else NO_PROBES,
            )
        )
    )
    world.deliver(0)
    wishes: dict[str, Event] = {"kill": KILL, "revoke": REVOKE, "soft": Stop(StopCause.KILL, 900.0)}
    for index, wish in script:
        if wish in wishes:
            world.post(wishes[wish])
        elif wish in ("crash", "end") and world.pod.running:
            name, code = world.pod.running[index % len(world.pod.running)], 0 if wish == "end" else 1
            world.post(ContainerExited(name, world.pod.containers[name].run, code))
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
