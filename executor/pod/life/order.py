"""In which order the containers of a pod start and stop. Pure.

Init containers start one after the other, each when the one before has exited with 0. A sidecar (an init container with
restartPolicy Always) holds up the next only until it is started: it runs, and its startup probe and postStart hook have
passed. The main containers start together after all of them.

At the end the init container that runs, or the main containers, get their signal first. Sidecars get theirs one after
the other, the last one first, each when those that started after it have ended.

Sources: Kubernetes, "Init Containers" and "Sidecar Containers"; KEP-753, "Pod Lifecycle".
"""

from __future__ import annotations

from executor.pod.life.model import Container, Phase, Pod
from executor.spec.model import ContainerKind


def to_start(pod: Pod) -> tuple[str, ...]:
    """The containers whose turn to start has come."""
    for container in pod.containers.values():
        if container.spec.kind is ContainerKind.MAIN:
            break
        if container.phase is Phase.CREATED:
            return (container.name,)
        if not lets_next_start(container):
            return ()
    return tuple(each.name for each in pod.main if each.phase is Phase.CREATED)


def lets_next_start(container: Container) -> bool:
    """Whether an init container, or a sidecar, lets the next one start."""
    if container.spec.kind is ContainerKind.SIDECAR:
        return container.started
    return container.phase is Phase.EXITED and container.exit_code == 0 and not container.stop_message


def to_stop(pod: Pod) -> tuple[str, ...]:
    """The containers that run and whose turn to end has come."""
    alive = pod.alive
    first = [each for each in alive if each.spec.kind is not ContainerKind.SIDECAR]
    return tuple(each.name for each in (first or alive[-1:]) if each.phase is Phase.RUNNING)
