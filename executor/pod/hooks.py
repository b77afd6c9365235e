"""A container's preStop hook: one more process in it, before its stop signal, within the grace of the stop.

It may fail or hang, and the container is stopped all the same: what stops a hook is the end of the grace, when the
pod's cgroup is killed and the hook with it.
Source: Kubernetes, "Container Lifecycle Hooks".
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from executor.errors import ExecutorError
from executor.exec.run import Target, run

if TYPE_CHECKING:
    from executor.log import Logger

OUTPUT_BYTES: Final = 1000
"""Of the end of a failed hook's output, for the log."""


async def pre_stop(target: Target, command: tuple[str, ...], log: Logger) -> None:
    """Run `command` and wait for its end; what comes of it is logged. Raises nothing that belongs to the node."""
    begin = time.monotonic()
    container = target.container
    try:
        result = await run(target, command, timeout_s=None, purpose="pre-stop", limit_bytes=OUTPUT_BYTES)
    except ExecutorError as error:
        log.warning("a preStop hook failed", code="pod.hook_failed", container=container, error=str(error))
        return
    took_ms = round((time.monotonic() - begin) * 1e3, 1)
    if result.exit_code == 0:
        log.info("a preStop hook has run", code="pod.hook", container=container, exit_code=0, duration_ms=took_ms)
    else:
        log.warning(
            "a preStop hook failed",
            code="pod.hook_failed",
            container=container,
            exit_code=result.exit_code,
            duration_ms=took_ms,
            error=result.output.strip(),
        )
