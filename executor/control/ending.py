"""What an operator does to one pod by its executor's control socket: end it, signal its containers, forget it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor import duration
from executor.errors import InvalidInput, InvalidRequest, NotFound, Refused
from executor.mesos.status import BY_OPERATOR
from executor.pod.life.events import Stop, StopCause
from executor.pod.life.model import State
from executor.spec import signals

if TYPE_CHECKING:
    from executor.pod.runner import PodRunner

_KEYS = frozenset({"grace", "signal", "container", "reason"})
REASON_LETTERS = 400


@dataclass(frozen=True)
class KillRequest:
    """`signal` None ends the pod as a KILL of its scheduler does; a signal goes to the first processes only. An empty
    `container` means all of them. `grace_s` None is the pod's own.
    """

    grace_s: float | None = None
    signal: int | None = None
    container: str = ""
    reason: str = ""


def parse(document: object) -> KillRequest:
    """Raises InvalidRequest."""
    if not isinstance(document, Mapping) or not set(document) <= _KEYS:
        raise InvalidRequest(f"must be an object with the keys {', '.join(sorted(_KEYS))}", subject="kill")
    for key in ("container", "reason"):
        if not isinstance(document.get(key, ""), str):
            raise InvalidRequest("must be a text", subject=key)
    grace, signal = document.get("grace"), document.get("signal")
    if signal is not None and grace is not None:
        raise InvalidRequest("contradicts a signal, after which nothing is waited for", subject="grace")
    if signal is None and document.get("container"):
        raise InvalidRequest("is for a signal only: a pod ends as a whole", subject="container")
    try:
        grace_s = None if grace is None else duration.seconds(grace, subject="grace")
    except InvalidInput as error:
        raise InvalidRequest(error.message, subject="grace", hint=error.hint) from error
    reason = document.get("reason", "")[:REASON_LETTERS]
    return KillRequest(grace_s, _signal(signal), document.get("container", ""), reason)


def _signal(signal: object) -> int | None:
    if signal is None:
        return None
    try:
        return signals.number(str(signal))
    except ValueError as error:
        raise InvalidRequest(str(error), subject="signal", hint="write such as HUP, SIGUSR1 or 9") from error


def kill(runner: PodRunner, request: KillRequest, actor: str) -> list[str]:
    """Begins it; the names of the containers that were signalled, none where the pod is to end. Raises NotFound,
    Refused.
    """
    if runner.pod.state is State.ENDED:
        hint = "mesos-pod-executor why tells how, rm removes its record and logs"
        raise Refused("has ended already", subject=runner.id, hint=hint)
    if request.signal is not None:
        names = _signalled(runner, request)
        runner.log.info(
            "an operator signals containers",
            code="pod.operator_signal",
            actor=actor,
            reason=request.reason or None,
            signal=signals.name(request.signal),
            containers=names,
        )
        return names
    runner.log.info(
        "an operator ends a pod",
        code="pod.operator_kill",
        actor=actor,
        reason=request.reason or None,
        grace_s=request.grace_s,
    )
    reason = f": {request.reason}" if request.reason else ""
    runner.post(Stop(StopCause.KILL, request.grace_s, f"{BY_OPERATOR} {actor}{reason}"))
    return []


def _signalled(runner: PodRunner, request: KillRequest) -> list[str]:
    names = list(runner.pod.containers)
    if request.container and request.container not in names:
        subject = f"{runner.id}/{request.container}"
        raise NotFound("no such container", subject=subject, hint=f"it has: {', '.join(names)}")
    wanted = [request.container] if request.container else names
    sent = [name for name in wanted if runner.containers.send(name, request.signal or 0)]
    if not sent:
        raise Refused("has no process that runs", subject="/".join([runner.id, *wanted[:1]]), hint="see `inspect`")
    return sent
