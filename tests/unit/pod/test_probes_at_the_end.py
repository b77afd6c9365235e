"""Probes and hooks of a pod that is being stopped: they decide nothing any more, and what stops a container is done."""

from __future__ import annotations

import pytest

from executor.pod.life.effects import CollectOutput, Kill, StopProbes, Terminate
from executor.pod.life.events import ContainerExited, KillDue, PostStartEnded, Probed, Stop, StopCause
from executor.pod.life.lifecycle import step
from executor.pod.life.model import Phase, State
from executor.probes.state import Verdict
from executor.spec.probes import Exec, Hooks, Kind, Probe, Probes
from tests.unit.pod.lives import KILL, play, running, spec

COMMAND = Exec(("true",))
PROBES = Probes(liveness=Probe(COMMAND), readiness=Probe(COMMAND))
HOOKS = Hooks(post_start=COMMAND)
REVOKED_WITH_GRACE = Stop(StopCause.REVOKED, 30.0)


@pytest.mark.parametrize("stop", [KILL, REVOKED_WITH_GRACE])
@pytest.mark.parametrize("kind", [Kind.LIVENESS, Kind.HEALTH])
def test_a_failed_probe_does_not_stop_a_sidecar_before_its_turn(stop: Stop, kind: Kind) -> None:
    """Source: kubelet's StopLivenessAndStartup when it ends a pod."""
    pod, effects = play(running(spec("app", sidecars=("proxy",), probes=PROBES)), stop)
    assert StopProbes("proxy") in effects, "the main container's end may need the sidecar for the whole grace"
    pod, effects = play(pod, Probed("proxy", 1, Verdict(kind, ok=False, fatal=True, message="no answer")))
    assert pod.containers["proxy"].phase is Phase.RUNNING and effects == []
    pod, effects = play(pod, ContainerExited("app", 1, 0))
    assert Terminate("proxy", 1) in effects, "now it is its turn"


def test_a_failed_hook_does_not_stop_a_sidecar_before_its_turn() -> None:
    sidecar_starts = running(spec("app", sidecars=("proxy",), probes=PROBES, hooks=HOOKS))
    pod, _ = play(sidecar_starts, KILL)
    pod, effects = play(pod, PostStartEnded("app", 1, "exited with status 1"))
    assert pod.state is State.STOPPING and effects == []


def test_a_container_whose_own_grace_is_over_is_killed_also_while_its_pod_is_revoked() -> None:
    """Its liveness probe failed before the revocation, whose grace is longer than its own."""
    failed = Probed("app", 1, Verdict(Kind.LIVENESS, ok=False, fatal=True))
    pod, _ = play(running(spec("app", "other", probes=PROBES)), failed, REVOKED_WITH_GRACE)
    pod, effects = step(pod, KillDue("app", 1))
    assert effects == (Kill("app", 1),)


def test_a_revocation_waits_for_no_log_but_ends_the_probes() -> None:
    pod, _ = play(running(spec("app", sidecars=("proxy",), probes=PROBES)), REVOKED_WITH_GRACE)
    pod, effects = step(pod, ContainerExited("app", 1, 0))
    assert pod.containers["app"].phase is Phase.EXITED
    assert not any(isinstance(each, CollectOutput) for each in effects)
    assert effects == (Terminate("proxy", 1),)
