"""An event loop whose time passes at once: where a real one would sleep, this one sets its clock."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing can happen any more: the simulation waits for itself")
        self.now_s += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """No file or socket may take part: what they do takes time of another kind."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now_s

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """At once: a thread would end at another time in each run."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 # it is the caller's
            future.set_exception(error)
        return future


def run(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which began at 0 s. Python's monotonic clock is the loop's meanwhile."""
    monotonic = time.monotonic
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        time.monotonic = runner.get_loop().time
        try:
            return runner.run(work)
        finally:
            time.monotonic = monotonic
