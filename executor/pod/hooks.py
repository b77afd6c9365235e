"""A container's preStop hook: one more process in it, before its stop signal, within the grace of the stop.

It may fail or hang, and the container is stopped all the same: what stops a hook is the end of the grace, when the
pod's cgroup is killed and the hook with it.
Source: Kubernetes, "Container Lifecycle Hooks".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from executor.errors import ContainerdUnavailable, ExecutorError

if TYPE_CHECKING:
    from executor.containerd.tasks import Tasks
    from executor.log import Logger
    from executor.names import ContainerId

EXEC_ID = "pre-stop"
_LOOK_AGAIN_S = 0.2


async def pre_stop(
    tasks: Tasks, container: ContainerId, process: Mapping[str, object], command: tuple[str, ...], log: Logger
) -> None:
    """Run `command` as `process` (the container's own, in the OCI document) runs, and wait for its end."""
    begin = time.monotonic()
    try:
        await tasks.exec(container, EXEC_ID, {**process, "args": list(command)})
        await tasks.start(container, exec_id=EXEC_ID)
        status = await _exit_status(tasks, container)
        await tasks.delete(container, exec_id=EXEC_ID)
    except ExecutorError as error:
        log.warning("a preStop hook failed", code="pod.hook_failed", container=container, error=str(error))
        return
    took_ms = round((time.monotonic() - begin) * 1e3, 1)
    if status == 0:
        log.info("a preStop hook has run", code="pod.hook", container=container, exit_code=0, duration_ms=took_ms)
    else:
        log.warning(
            "a preStop hook failed",
            code="pod.hook_failed",
            container=container,
            exit_code=status,
            duration_ms=took_ms,
        )


async def _exit_status(tasks: Tasks, container: ContainerId) -> int:
    """Whatever becomes of containerd meanwhile: a wait that is cut off says nothing about the hook."""
    while True:
        try:
            return (await tasks.wait(container, exec_id=EXEC_ID)).exit_status
        except ContainerdUnavailable:
            await asyncio.sleep(_LOOK_AGAIN_S)
