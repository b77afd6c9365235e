"""Small tools for structured concurrency that asyncio does not have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from executor.concurrency import to_the_end
from executor.errors import ContainerdUnavailable, ExecutorError

__all__ = ["each", "first_of", "patiently", "to_the_end", "together"]

T = TypeVar("T")


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


async def each(names: tuple[str, ...], work: Callable[[str], Awaitable[T]]) -> list[T | ExecutorError]:
    """`work` for every name at the same time; an ExecutorError is returned in its place, anything else is raised."""
    results = await asyncio.gather(*(work(name) for name in names), return_exceptions=True)
    out: list[T | ExecutorError] = []
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, ExecutorError):
            raise result
        out.append(result)
    return out
