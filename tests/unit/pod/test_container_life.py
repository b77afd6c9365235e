"""The life of one container: every phase with every event, and every path to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import ImageFailure
from executor.names import TaskId
from executor.pod.life import container_life
from executor.pod.life.container_life import DOUBT_S, IllegalTransition, begin, step
from executor.pod.life.effects import (
    After,
    CollectOutput,
    ContainerEffect,
    Kill,
    Start,
    StartProbes,
    StopProbes,
    Terminate,
)
from executor.pod.life.events import (
    ContainerEvent,
    ContainerExited,
    ContainerStarted,
    KillDue,
    Oom,
    OutputCollected,
    PostStartEnded,
    Probed,
    RestartDue,
    RunOver,
    StartFailed,
    StartNow,
    StopNow,
)
from executor.pod.life.model import Container, Phase
from executor.probes.state import Verdict
from executor.spec.model import ContainerKind, ContainerSpec, RestartPolicy
from executor.spec.probes import NO_HOOKS, NO_PROBES, Exec, Hooks, Kind, Probe, Probes
from executor.spec.restart_rule import RestartRule

COMMAND = Exec(("true",))
PROBES = Probes(startup=Probe(COMMAND), liveness=Probe(COMMAND, grace_s=2.0), readiness=Probe(COMMAND))
LIVENESS_FAILED = Verdict(Kind.LIVENESS, ok=False, fatal=True, message="no answer")
EVENTS: tuple[ContainerEvent, ...] = (
    StartNow("app"),
    ContainerStarted("app", 1, 7),
    StartFailed("app", 1, ImageFailure("no")),
    PostStartEnded("app", 1),
    PostStartEnded("app", 1, "exited with status 1"),
    Probed("app", 1, Verdict(Kind.READINESS, ok=True)),
    Probed("app", 1, LIVENESS_FAILED),
    ContainerExited("app", 1, 0),
    ContainerExited("app", 1, 1),
    ContainerExited("app", 1, 137),
    OutputCollected("app", 1),
    RestartDue("app"),
    StopNow("app"),
    KillDue("app", 1),
    RunOver("app", 1),
)
LEGAL = {
    Phase.CREATED: {StartNow, ContainerExited, StopNow},
    Phase.ENDING: {type(event) for event in EVENTS} - {StartNow},
    Phase.BACKING_OFF: {type(event) for event in EVENTS} - {StartNow},
    Phase.EXITED: {type(event) for event in EVENTS} - {StartNow},
    Phase.STARTING: {type(event) for event in EVENTS} - {StartNow},
    Phase.RUNNING: {type(event) for event in EVENTS} - {StartNow, StartFailed},
    Phase.STOPPING: {type(event) for event in EVENTS} - {StartNow, StartFailed},
}


def container(
    policy: RestartPolicy = RestartPolicy.NEVER,
    probes: Probes = NO_PROBES,
    hooks: Hooks = NO_HOOKS,
    kind: ContainerKind = ContainerKind.MAIN,
) -> Container:
    spec = ContainerSpec(name="app", image="image", task_id=TaskId("t"), kind=kind, probes=probes, hooks=hooks)
    return begin(spec, policy, 30.0)


def play(one: Container, *events: ContainerEvent, pod_ends: bool = False) -> tuple[Container, list[ContainerEffect]]:
    effects: list[ContainerEffect] = []
    for event in events:
        one, more = step(one, event, pod_ends=pod_ends)
        effects.extend(more)
    return one, effects


def running(policy: RestartPolicy = RestartPolicy.NEVER, probes: Probes = NO_PROBES) -> Container:
    return play(container(policy, probes), StartNow("app"), ContainerStarted("app", 1, 7))[0]


def reachable(policy: RestartPolicy) -> dict[Phase, Container]:
    """One container in each phase, found by trying every event from its creation on."""
    found = {Phase.CREATED: container(policy, PROBES)}
    queue = list(found.values())
    while queue:
        one = queue.pop()
        for event in EVENTS:
            try:
                after, _ = step(one, event)
            except IllegalTransition:
                continue
            if after.phase not in found:
                found[after.phase] = after
                queue.append(after)
    return found


def test_every_phase_takes_or_refuses_every_event_as_the_table_says() -> None:
    found = reachable(RestartPolicy.ON_FAILURE) | {Phase.EXITED: reachable(RestartPolicy.NEVER)[Phase.EXITED]}
    assert set(found) == set(Phase)
    for phase, one in found.items():
        taken = set()
        for event in EVENTS:
            try:
                step(one, event)
            except IllegalTransition:
                continue
            taken.add(type(event))
        assert taken == LEGAL[phase] == {event for each, event in container_life.TABLE if each is phase}, phase


def test_an_exit_is_believed_once_its_output_is_in_the_log() -> None:
    one, effects = step(running(), ContainerExited("app", 1, 3))
    assert (one.phase, effects) == (Phase.ENDING, (CollectOutput("app", 1, exit_code=3),))
    one, effects = step(one, OutputCollected("app", 1, "no licence"))
    assert (one.phase, one.exit_code, one.message, effects) == (Phase.EXITED, 3, "no licence", ())


def test_an_unexplained_sigkill_is_believed_later() -> None:
    assert step(running(), ContainerExited("app", 1, 137))[1] == (CollectOutput("app", 1, DOUBT_S, 137),)
    explained = ContainerExited("app", 1, 137, Oom("container"))
    assert step(running(), explained)[1] == (CollectOutput("app", 1, exit_code=137),), "the kernel, for memory"
    assert step(running(), ContainerExited("app", 1, 137), pod_ends=True)[1] == (
        CollectOutput("app", 1, exit_code=137),
    )
    stopped, _ = play(running(probes=PROBES), Probed("app", 1, LIVENESS_FAILED), KillDue("app", 1))
    assert step(stopped, ContainerExited("app", 1, 137))[1] == (CollectOutput("app", 1, exit_code=137),), (
        "the executor itself"
    )


def test_a_failed_liveness_probe_stops_the_container_and_its_policy_decides() -> None:
    for policy, phase in ((RestartPolicy.NEVER, Phase.EXITED), (RestartPolicy.ON_FAILURE, Phase.BACKING_OFF)):
        one, effects = step(running(policy, PROBES), Probed("app", 1, LIVENESS_FAILED))
        assert one.phase is Phase.STOPPING
        assert effects == (StopProbes("app"), Terminate("app", 1), After(2.0, KillDue("app", 1))), "the probe's grace"
        assert step(one, KillDue("app", 1))[1] == (Kill("app", 1),)
        one, _ = play(one, ContainerExited("app", 1, 0), OutputCollected("app", 1))
        assert one.phase is phase, "whatever its exit code"
        assert one.stop_message == "its liveness probe failed: no answer"


OF_THE_FIRST_RUN: tuple[ContainerEvent, ...] = (
    ContainerStarted("app", 1, 7),
    StartFailed("app", 1, ImageFailure("containerd answers late")),
    ContainerExited("app", 1, 137),
    KillDue("app", 1),
    RunOver("app", 1),
    OutputCollected("app", 1),
    Probed("app", 1, LIVENESS_FAILED),
    PostStartEnded("app", 1, "exited with status 1"),
)


def test_what_belongs_to_an_earlier_run_changes_nothing() -> None:
    one, _ = play(
        running(RestartPolicy.ALWAYS, PROBES),
        ContainerExited("app", 1, 1),
        OutputCollected("app", 1),
        RestartDue("app"),
    )
    assert play(one, *OF_THE_FIRST_RUN) == (one, []), "while the next one is started"
    one, effects = play(one, ContainerStarted("app", 2, 8))
    assert (one.run, one.restarts, effects) == (2, 1, [StartProbes("app", 2)])
    assert play(one, *OF_THE_FIRST_RUN) == (one, []), "while it runs"
    ending, _ = step(one, ContainerExited("app", 2, 0))
    assert play(ending, *OF_THE_FIRST_RUN) == (ending, [])


def test_a_container_is_started_and_ready_by_its_probes() -> None:
    one = running(probes=PROBES)
    assert not one.started and not one.ready
    one, _ = step(one, Probed("app", 1, Verdict(Kind.STARTUP, ok=True)))
    assert one.started and not one.ready
    one, _ = step(one, Probed("app", 1, Verdict(Kind.READINESS, ok=True)))
    assert one.ready
    one, effects = step(one, Probed("app", 1, Verdict(Kind.READINESS, ok=False)))
    assert not one.ready and effects == (), "it is told, and lives on"
    one, _ = play(running(probes=NO_PROBES))
    assert one.started and one.ready


def test_a_post_start_hook_holds_up_the_start_and_stops_the_container_if_it_fails() -> None:
    one, begun = play(container(hooks=Hooks(post_start=COMMAND)), StartNow("app"), ContainerStarted("app", 1, 7))
    assert not one.started and begun[-1] == StartProbes("app", 1)
    assert step(one, PostStartEnded("app", 1))[0].started
    failed, effects = step(one, PostStartEnded("app", 1, "exited with status 1"))
    assert effects == (StopProbes("app"), Terminate("app", 1), After(30.0, KillDue("app", 1)))
    assert failed.stop_message == "its postStart hook failed: exited with status 1"


@pytest.mark.parametrize(
    ("kind", "policy", "own"),
    [
        (ContainerKind.SIDECAR, RestartPolicy.NEVER, RestartPolicy.ALWAYS),
        (ContainerKind.INIT, RestartPolicy.ALWAYS, RestartPolicy.ON_FAILURE),
        (ContainerKind.INIT, RestartPolicy.NEVER, RestartPolicy.NEVER),
        (ContainerKind.MAIN, RestartPolicy.ALWAYS, RestartPolicy.ALWAYS),
    ],
)
def test_the_kind_of_a_container_decides_its_policy(
    kind: ContainerKind, policy: RestartPolicy, own: RestartPolicy
) -> None:
    assert container(policy, kind=kind).restart_policy is own


@pytest.mark.parametrize(
    ("code", "restarts"), [(0, False), (42, True), (43, False), (137, True)], ids=["success", "rule", "none", "second"]
)
def test_a_rule_about_exit_codes_comes_before_the_policy(code: int, restarts: bool) -> None:
    rules = (RestartRule(frozenset({42})), RestartRule(frozenset(range(128)), negated=True))
    spec = replace(running().spec, restart_policy=RestartPolicy.NEVER, restart_rules=rules)
    one, _ = play(begin(spec, RestartPolicy.ALWAYS, 30.0), StartNow("app"), ContainerStarted("app", 1, 7))
    one, _ = play(one, ContainerExited("app", 1, code), OutputCollected("app", 1))
    assert one.phase is (Phase.BACKING_OFF if restarts else Phase.EXITED)


def test_nothing_is_restarted_once_the_pod_ends() -> None:
    one, effects = play(running(RestartPolicy.ALWAYS), StopNow("app"), pod_ends=True)
    assert effects == [Terminate("app", 1)]
    one, effects = play(one, ContainerExited("app", 1, 143), OutputCollected("app", 1), pod_ends=True)
    assert one.phase is Phase.EXITED and effects == [CollectOutput("app", 1, exit_code=143)]
    waiting, _ = play(running(RestartPolicy.ALWAYS), ContainerExited("app", 1, 1), OutputCollected("app", 1))
    assert step(waiting, RestartDue("app"), pod_ends=True) == (waiting, ())


@given(
    st.sampled_from(list(RestartPolicy)),
    st.sampled_from([NO_PROBES, PROBES]),
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "", "crash", "killed", "probe"])), max_size=40),
)
def test_every_path_ends_once_the_pod_ends(
    policy: RestartPolicy, probes: Probes, script: list[tuple[int, str]]
) -> None:
    """Effects are answered as the node would, in an order that hypothesis chooses; then the pod ends."""
    world = World(container(policy, probes))
    for index, what in script:
        world.happens(index, what)
    for _ in range(20):
        if world.one.phase in OVER:
            break
        world.take(world.pending.pop(0) if world.pending else StopNow("app"), pod_ends=True)
    assert world.one.phase in OVER


OVER = (Phase.EXITED, Phase.BACKING_OFF)


class World:
    def __init__(self, one: Container) -> None:
        self.one = one
        self.pending: list[ContainerEvent] = []
        self.take(StartNow("app"))

    def take(self, event: ContainerEvent, *, pod_ends: bool = False) -> None:
        self.one, effects = step(self.one, event, pod_ends=pod_ends)
        self.pending += [answer for effect in effects if (answer := answer_to(effect)) is not None]

    def happens(self, index: int, what: str) -> None:
        if what in ("crash", "killed") and self.one.phase in (Phase.RUNNING, Phase.STOPPING):
            self.take(ContainerExited("app", self.one.run, 1 if what == "crash" else 137))
        elif what == "probe" and self.one.phase is Phase.RUNNING:
            self.take(Probed("app", self.one.run, LIVENESS_FAILED))
        elif self.pending:
            self.take(self.pending.pop(index % len(self.pending)))


def answer_to(effect: ContainerEffect) -> Any:
    """The event in which an effect ends, if any."""
    match effect:
        case Start():
            return ContainerStarted("app", effect.run, 7)
        case CollectOutput():
            return OutputCollected("app", effect.run)
        case After():
            return effect.event
        case Terminate() | Kill():
            return ContainerExited("app", effect.run, 137)
        case _:
            return None
