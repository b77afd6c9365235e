"""The lines of the log and the journal from which `why` makes a pod's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from executor.pod.life.container_life import back_off_s
from executor.pod.life.events import ContainerExited, Event, Oom, StartFailed
from executor.pod.life.model import Phase, Pod, State

if TYPE_CHECKING:
    from executor.log import Logger

LOOP_RESTARTS: Final = 3
"""From this restart on a container is in a crash loop. A long run in between begins the count again."""


def note_state(log: Logger, pod: Pod, age_s: float, phases_ms: Mapping[str, float]) -> None:
    """`age_s` since its launch; `phases_ms` is how long each phase of that took."""
    facts: dict[str, Any] = {"since_launch_ms": round(age_s * 1e3, 1)}
    if pod.state is State.RUNNING:
        facts["phases_ms"] = dict(phases_ms)
        facts["ips"] = list(pod.ips)
    if pod.outcome is not None:
        facts["outcome"] = pod.outcome.state
        facts["reason"] = pod.outcome.reason
        facts["error"] = pod.outcome.message
    log.info("pod changed its state", code=f"pod.{pod.state.replace('-', '_')}", state=pod.state, **facts)


def note_container(log: Logger, event: Event) -> None:
    """That a container exited, or could not be started. Other events are logged elsewhere."""
    if isinstance(event, ContainerExited):
        _note_exit(log, event.container, event.exit_code, event.oom)
    elif isinstance(event, StartFailed):
        log.warning(
            "a container could not be started", code="pod.start_failed", container=event.container, error=event.error
        )


def note_restarts(log: Logger, before: Pod, after: Pod) -> None:
    """The containers that wait for their next start since this event."""
    for name, container in after.containers.items():
        if container.phase is not Phase.BACKING_OFF or before.containers[name].phase is Phase.BACKING_OFF:
            continue
        facts: dict[str, Any] = {
            "container": name,
            "exit_code": container.exit_code,
            "reason": container.stop_message or None,
            "count": container.restarts,
            "delay_s": back_off_s(container.restarts),
        }
        if container.restarts + 1 < LOOP_RESTARTS:
            log.info("a container is started again", code="pod.restarting", **facts)
        else:
            log.warning("a container is started again", code="pod.restarting", **facts)


def _note_exit(log: Logger, container: str, exit_code: int, oom: Oom | None) -> None:
    if oom is None:
        log.info("a container exited", code="pod.container_exited", container=container, exit_code=exit_code)
    else:
        log.warning(
            "a container was killed for memory",
            code="pod.oom",
            container=container,
            exit_code=exit_code,
            oom=oom.level,
            limit_bytes=oom.limit_bytes,
        )


def note_child_oom(log: Logger, container: str, count: int, oom: Oom | None) -> None:
    """`oom` is None where it is not known any more whose limit was met."""
    log.warning(
        "the kernel killed processes of a container for memory",
        code="pod.child_oom",
        container=container,
        count=count,
        oom=None if oom is None else oom.level,
        limit_bytes=None if oom is None else oom.limit_bytes,
    )
