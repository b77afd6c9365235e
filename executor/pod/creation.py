"""Making and starting a container while containerd restarts: each step waits for it, within the limit of a launch.

The outcome of a call that was cut off is unknown. A creation is repeated only after everything that it may have
made is proven to be gone, a start only while the task says that it has not been started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from executor.concurrency import patiently, to_the_end
from executor.errors import ContainerdFailure, ContainerdUnavailable
from executor.log import get_logger

if TYPE_CHECKING:
    from executor.containerd.tasks import Tasks
    from executor.names import ContainerId
    from executor.pod.release.leaks import Leak

log = get_logger(__name__)

PAUSE_S = 0.3
_BUNDLE_IN_THE_WAY = "file exists"
"""containerd's word for it (os.Mkdir in runtime/v2/bundle.go); gRPC's code for it is UNKNOWN."""
_STARTED = ("running", "stopped", "paused", "pausing")


async def made(
    container: ContainerId,
    make: Callable[[], Coroutine[Any, Any, None]],
    undo: Callable[[], Awaitable[list[Leak]]],
    rename: Callable[[], None],
    *,
    limit_s: float,
) -> None:
    """`make` the container, and after a cut-off `undo` what may be there and make it again. One try is not cut short by
    a cancellation; between two tries one ends it. Raises what `make` raises, ContainerdUnavailable at the limit, and
    ContainerdFailure for a try that cannot be undone.

    A containerd that is killed between making a bundle and starting its shim keeps that directory for ever, and makes
    no task with that id again: then `rename` gives the container another one.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_s
    cut_off = False
    while True:
        try:
            return await to_the_end(_within(deadline - loop.time(), make, container))
        except ContainerdFailure as error:
            in_the_way = cut_off and _BUNDLE_IN_THE_WAY in error.message
            if loop.time() >= deadline or not (isinstance(error, ContainerdUnavailable) or in_the_way):
                raise
            cut_off = True
            log.warning("a container is made again", code="pod.make_again", container=container, error=error)
        await asyncio.sleep(PAUSE_S)
        if leaks := await undo():
            raise ContainerdFailure(f"its creation was cut off, and left {leaks[0]}", subject=f"container {container}")
        if in_the_way:
            rename()


async def started(tasks: Tasks, container: ContainerId, *, limit_s: float) -> None:
    """Start the task of `container`. Raises ContainerdFailure, and ContainerdUnavailable at the limit."""
    await to_the_end(_within(limit_s, lambda: _started(tasks, container, limit_s), container))


async def _started(tasks: Tasks, container: ContainerId, limit_s: float) -> None:
    cut_off = False
    while True:
        try:
            await tasks.start(container)
        except ContainerdUnavailable:
            cut_off = True
        except ContainerdFailure:
            if not cut_off or not await _runs(tasks, container, limit_s):
                raise
            return
        else:
            return
        await asyncio.sleep(PAUSE_S)
        if await _runs(tasks, container, limit_s):
            return


async def _runs(tasks: Tasks, container: ContainerId, limit_s: float) -> bool:
    """Whether it was started, by containerd's word, which is waited for."""
    task = await patiently(lambda: tasks.get(container), patience_s=limit_s)
    return task.status in _STARTED


async def _within(limit_s: float, work: Callable[[], Coroutine[Any, Any, None]], container: ContainerId) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await work()
    except TimeoutError as error:
        hint = "[pods] start_timeout_s; is containerd or the container's shim hung?"
        raise ContainerdUnavailable(f"no answer within {limit_s:.3g} s", subject=container, hint=hint) from error
