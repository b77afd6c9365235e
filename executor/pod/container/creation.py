"""Making and starting a container while containerd restarts: each step waits for it, within the limit of a launch.

The outcome of a call that was cut off is unknown. A creation is repeated only after everything that it may have
made is proven to be gone, a start only while the task says that it has not been started. A container that nothing can
start any more is undone and made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from executor.concurrency import patiently, to_the_end
from executor.containerd.types import TaskStatus
from executor.errors import ContainerdFailure, ContainerdUnavailable, NotFound
from executor.log import get_logger

if TYPE_CHECKING:
    from executor.containerd.tasks import Tasks
    from executor.names import ContainerId
    from executor.pod.release.leaks import Leak

log = get_logger(__name__)

PAUSE_S = 0.3
AGAIN_S = 10.0
"""How long a start may take that was cut off before. One takes some 30 ms, and a few seconds on a busy node."""
_BUNDLE_IN_THE_WAY = "file exists"
"""containerd's word for it (os.Mkdir in runtime/v2/bundle.go); gRPC's code for it is UNKNOWN."""
INIT_FAILED_CODE = 1
"""How runc's init ends where the `runc start` that it waits for is killed (libcontainer/init_linux.go)."""
_RUNS = (TaskStatus.RUNNING, TaskStatus.PAUSED, TaskStatus.PAUSING)


async def created(
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

    A containerd that is killed between making a bundle and starting its shim never removes that directory, and makes no
    task with that id again: then `rename` gives the container another one.
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


async def started(
    tasks: Tasks, container: ContainerId, make_again: Callable[[], Awaitable[ContainerId]], *, limit_s: float
) -> None:
    """Start the task of `container`. Raises ContainerdFailure, and ContainerdUnavailable at the limit.

    A containerd that is killed takes a runc with it that starts the container for it. That may leave a container that
    nothing can start any more: then `make_again` undoes it and makes it with its new id.
    """
    deadline = asyncio.get_running_loop().time() + limit_s
    await to_the_end(_within(limit_s, lambda: _started(tasks, container, make_again, deadline), container))


async def _started(
    tasks: Tasks, container: ContainerId, make_again: Callable[[], Awaitable[ContainerId]], deadline: float
) -> None:
    while not await _is_started(tasks, container, deadline):
        log.warning("a container is made again", code="pod.make_again", container=container, error="its start failed")
        container = await make_again()


async def _is_started(tasks: Tasks, container: ContainerId, deadline: float) -> bool:
    """Starts it. False: it cannot be started any more, or what became of its start cannot be known.

    runc's init ends where the `runc start` that it waits for was killed. One that was killed a moment later leaves a
    program that runs in a container that runc takes for one that was not started: a second start hangs. crun removes
    what init waits by before it lets init go on: a `crun start` that was killed there leaves an init that waits without
    end, and a second start fails.
    """
    if await _start_once(tasks, container, None):
        return True
    failed = False
    while True:
        await asyncio.sleep(PAUSE_S)
        left_s = deadline - asyncio.get_running_loop().time()
        try:
            task = await patiently(lambda: tasks.get(container), patience_s=left_s)
        except NotFound:
            return False
        if task.status is TaskStatus.STOPPED:
            return task.exit_status != INIT_FAILED_CODE
        if failed or task.status in _RUNS:
            return task.status in _RUNS
        try:
            if await _start_once(tasks, container, min(AGAIN_S, left_s / 2)):
                return True
        except TimeoutError:
            return False
        except ContainerdFailure:  # perhaps the first one has started it meanwhile
            failed = True


async def _start_once(tasks: Tasks, container: ContainerId, limit_s: float | None) -> bool:
    """False: it was cut off. Raises TimeoutError."""
    try:
        async with asyncio.timeout(limit_s):
            await tasks.start(container)
    except ContainerdUnavailable:
        return False
    return True


async def _within(limit_s: float, work: Callable[[], Coroutine[Any, Any, None]], container: ContainerId) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await work()
    except TimeoutError as error:
        hint = "[pods] start_timeout_s; is containerd or the container's shim hung?"
        raise ContainerdUnavailable(f"no answer within {limit_s:.3g} s", subject=container, hint=hint) from error
