"""How the probes and hooks of one container reach it: by commands in it, and through its network."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from executor.errors import NotFound
from executor.exec.run import run
from executor.probes.ask import Reach

if TYPE_CHECKING:
    from executor.exec.run import Result, Target
    from executor.pod.container.container_run import ContainerRun
    from executor.spec.probes import Exec

OUTPUT_BYTES = 1000
"""The end of a command's output that is kept, for messages."""


def reach(
    purpose: str,
    current: ContainerRun | None,
    target: Target | None,
    addresses: Callable[[], Sequence[str]],
) -> Reach:
    """One run of a container, which cannot be reached once it has ended. `purpose` is a word for the ids of its
    commands. `current`, `target`: None for a container that does not run. `addresses`: of its pod.
    """

    def runs() -> bool:
        return current is not None and current.runs()

    async def run_command(action: Exec, timeout_s: float | None) -> Result:
        if target is None or not runs():
            raise NotFound("does not run", subject="container")
        return await run(
            _with_env(target, action), action.command, timeout_s=timeout_s, purpose=purpose, limit_bytes=OUTPUT_BYTES
        )

    def open_namespace() -> int:
        return _network_namespace(current.pid if current is not None and current.lives() else None)

    return Reach(addresses, open_namespace, run_command, runs)


def _with_env(target: Target, action: Exec) -> Target:
    """The last one of two variables with one name is what a process sees."""
    if not action.env:
        return target
    env = [*target.first.get("env", []), *(f"{name}={value}" for name, value in action.env)]
    return replace(target, first={**target.first, "env": env})


def _network_namespace(pid: int | None) -> int:
    """Raises OSError."""
    if pid is None:
        raise ProcessLookupError(3, "the container does not run")
    return os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
