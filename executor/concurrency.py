"""Small tools for structured concurrency that asyncio does not have, shared by all parts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from executor.errors import ContainerdUnavailable, ExecutorError

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, however often the caller is cancelled meanwhile; the cancellation is raised afterwards.

    For calls that change the node and cannot be taken back half way, such as creating a container task. `work` must be
    bounded in time. What it raises is raised, unless a cancellation is.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as lost
    raise cancelled


async def patiently(work: Callable[[], Awaitable[T]], *, patience_s: float, pause_s: float = 0.3) -> T:
    """`work` again while containerd restarts. Raises ContainerdUnavailable if it does not come back in time."""
    deadline = asyncio.get_running_loop().time() + patience_s
    while True:
        try:
            return await work()
        except ContainerdUnavailable:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(pause_s)


async def together(*work: Coroutine[Any, Any, Any]) -> None:
    """Run all; when one fails, cancel the others, wait for them, and raise that first failure itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for coroutine in work:
                group.create_task(coroutine)
    except BaseExceptionGroup as failures:
        raise first_of(failures) from None


class FirstAlone:
    """Lets many run at the same time, but while there is nothing yet, one of them alone that makes it.

    Where two shims start for one pod at a time, one may take the other's socket away, and that one never ends then
    (containerd 1.6, containerd-shim-runc-v2: between bind and listen).
    """

    def __init__(self, is_there: Callable[[], bool]) -> None:
        self._is_there = is_there
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Entered when its turn has come. One that fails leaves its place to the next."""
        if not self._is_there():
            async with self._making:
                if not self._is_there():
                    yield
                    return
        yield


async def first_to_end(*work: Coroutine[Any, Any, Any]) -> None:
    """Run all until one ends, and cancel the others. What the one that ended raises is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work`, which has no end of its own, while the block runs; what it raises ends the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        yield
        task.cancel()


async def in_own_thread(work: Callable[[], T], name: str) -> T:
    """What `work` returns or raises, from a thread that ends after it. It is not cut short: where the caller is
    cancelled it goes on by itself. For work that enters a namespace, which changes its thread for good.

    Raises RuntimeError where no thread can be started.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def hand_over(result: T | None, failure: BaseException | None) -> None:
        if done.done():
            return
        if failure is not None:
            done.set_exception(failure)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - handed over, not judged
            failure = error
        with suppress(RuntimeError):  # the loop is closed: no caller waits
            loop.call_soon_threadsafe(hand_over, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done


def first_of(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to tell: the first one raised on purpose, else the first."""
    flat: list[BaseException] = []
    stack: list[BaseException] = [failures]
    while stack:
        failure = stack.pop(0)
        if isinstance(failure, BaseExceptionGroup):
            stack[:0] = failure.exceptions
        else:
            flat.append(failure)
    return next((failure for failure in flat if isinstance(failure, ExecutorError)), flat[0])


def ready_threads(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose `count` threads run from the beginning, so that no call fails where none can be started later on.

    Raises RuntimeError where they cannot be started now.
    """
    pool, all_run = ThreadPoolExecutor(count, thread_name_prefix=name), threading.Barrier(count + 1)
    try:
        for _ in range(count):
            pool.submit(all_run.wait)
    except BaseException:
        all_run.abort()
        raise
    all_run.wait()
    return pool
