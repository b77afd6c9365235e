"""The real executor, killed by SIGKILL at a seam (seams.py): `python -m tests.crash.dying_executor`, in its place.

MPE_CRASH_AT is `SEAM MOMENT NUMBER`: the NUMBER-th time that the seam is met, counted from 1. Before it dies it writes
that into the file `died` in its sandbox. With `record` it lives, and each seam that it meets is a line of the file
`met`. MPE_CRASH_UNWATCHED: no watcher is there to start the reaper. As a command of the operator it is the program as
it is.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from executor.__main__ import main
from executor.node.reaping import watcher
from executor.pod.inbox import Inbox
from executor.pod.runner import PodRunner
from tests.crash.seams import EFFECT, Step, steps

DIED, MET, RECORD = "died", "met", "record"
AT, UNWATCHED = "MPE_CRASH_AT", "MPE_CRASH_UNWATCHED"


class Seams:
    """Counts how often each is met, and dies when it is time."""

    def __init__(self, wanted: str) -> None:
        self._seam, self._moment, number = (*wanted.split(" "), "", "1")[:3]
        self._number = int(number or 1)
        self._count = 0
        self._met = set[str]()
        self._records = wanted == RECORD

    def meet(self, seam: str) -> bool:
        """Whether this is the time that is meant."""
        if self._records and seam not in self._met:
            self._met.add(seam)
            with Path(MET).open("a") as file:
                file.write(f"{seam}\n")
        if seam != self._seam:
            return False
        self._count += 1
        return self._count == self._number

    def at(self, seam: str, moment: str, *, meant: bool) -> None:
        """Dies at the moment that is meant."""
        if meant and moment == self._moment:
            Path(DIED).write_text(f"{seam} {moment} {self._number}\n")
            os.kill(os.getpid(), signal.SIGKILL)


def arm_step(step: Step, seams: Seams) -> None:
    """Put the seam around a step."""
    original = step.function

    async def awaited(*arguments: Any, **keywords: Any) -> Any:
        meant = seams.meet(step.seam)
        seams.at(step.seam, "before", meant=meant)
        result = await original(*arguments, **keywords)
        seams.at(step.seam, "after", meant=meant)
        return result

    def at_once(*arguments: Any, **keywords: Any) -> Any:
        meant = seams.meet(step.seam)
        seams.at(step.seam, "before", meant=meant)
        result = original(*arguments, **keywords)
        seams.at(step.seam, "after", meant=meant)
        return result

    around = awaited if inspect.iscoroutinefunction(original) else at_once
    for owner in _bindings(step, original):
        setattr(owner, step.name, around)


def _bindings(step: Step, original: Callable[..., Any]) -> list[Any]:
    """Whatever the function is called by: a module's one may be imported into others."""
    if isinstance(step.owner, type):
        return [step.owner]
    modules = [module for name, module in sys.modules.items() if name.startswith("executor.")]
    return [module for module in modules if vars(module).get(step.name) is original]


def arm_effects(seams: Seams) -> None:
    """Put a seam around every effect. After one means: its work has ended, or its timer is set."""

    def around(original: Callable[..., None], work: Callable[[Any], set[asyncio.Task[None]]]) -> Callable[..., None]:
        def perform(self: Any, effect: Any) -> None:
            seam = f"{EFFECT}{type(effect).__name__}"
            meant = seams.meet(seam)
            seams.at(seam, "before", meant=meant)
            before = set(work(self))
            original(self, effect)
            begun = work(self) - before
            if not begun:
                seams.at(seam, "after", meant=meant)
            for task in begun:
                task.add_done_callback(lambda _: seams.at(seam, "after", meant=meant))

        return perform

    PodRunner._perform = around(PodRunner._perform, lambda runner: runner._performer._work)  # type: ignore[method-assign]
    Inbox._after = around(Inbox._after, lambda _: set())  # type: ignore[method-assign]


def run() -> int:
    """The executor with its seams, or a command."""
    if "MESOS_EXECUTOR_ID" in os.environ:
        seams = Seams(os.environ.get(AT, ""))
        arm_effects(seams)
        for step in steps():
            arm_step(step, seams)
        if UNWATCHED in os.environ:
            watcher.start = lambda *_, **__: None
    return main()


if __name__ == "__main__":
    sys.exit(run())
