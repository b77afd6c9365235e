"""The hooks of a container: what is run or asked after its start, and before its stop signal.

Neither has a time limit of its own. A preStop hook may fail or hang, and the container is stopped after it: the end
of the grace kills the pod's cgroup, and a command of the hook with it. A postStart hook that fails ends its container,
and one that hangs ends with it.

Source: Kubernetes, "Container Lifecycle Hooks"; kubelet's pkg/kubelet/lifecycle/handlers.go, for which any answer to
an HTTP hook is a success.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from executor.errors import ExecutorError
from executor.probes.ask import ask
from executor.spec.probes import HttpGet, Sleep

if TYPE_CHECKING:
    from executor.log import Logger
    from executor.probes.ask import Means, Reach
    from executor.spec.probes import Hook

POST_START, PRE_STOP = "postStart", "preStop"


async def run(name: str, hook: Hook, reach: Reach, means: Means, log: Logger) -> str:
    """Until it has ended. What went wrong, empty if nothing; it is logged as well. `name` is postStart or preStop."""
    begin = time.monotonic()
    error = await _outcome(hook, reach, means)
    took_ms = round((time.monotonic() - begin) * 1e3, 1)
    if error:
        log.warning("a hook failed", code="pod.hook_failed", hook=name, duration_ms=took_ms, error=error)
    else:
        log.info("a hook has run", code="pod.hook", hook=name, duration_ms=took_ms)
    return error


async def _outcome(hook: Hook, reach: Reach, means: Means) -> str:
    if isinstance(hook, Sleep):
        await asyncio.sleep(hook.duration_s)
        return ""
    try:
        result = await ask(hook, None, reach, means)
    except ExecutorError as error:
        return str(error)
    answered = result.ok or (isinstance(hook, HttpGet) and result.value is not None)
    return "" if answered else result.message
