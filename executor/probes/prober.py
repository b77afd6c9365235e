"""The probes of one run of one container: each is asked when it is due, and what changes is reported.

start ─▶ one task a probe: wait, ask, state.take ─▶ verdict ─▶ tell;   a startup probe passes ─▶ the others begin
         a fatal verdict, close ─▶ every task ends
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from executor import exhausted
from executor.errors import ExecutorError, Failure
from executor.probes import rhythm, state
from executor.probes.ask import Means, Reach, ask
from executor.probes.state import Result, Verdict
from executor.spec.probes import Kind, Probe, Probes

_MESOS = (Kind.HEALTH, Kind.CHECK)


class Note(Protocol):
    """Receives each result, for metrics and the log. `first`: the question before had another result."""

    def __call__(self, kind: Kind, result: Result | ExecutorError, *, first: bool) -> None: ...


class Prober:
    """`tell` is called with each verdict, in the event loop. A new run of the container needs a new Prober."""

    def __init__(self, probes: Probes, reach: Reach, means: Means, tell: Callable[[Verdict], None], note: Note) -> None:
        self.state = state.begin(probes)
        self._reach, self._means, self._tell, self._note = reach, means, tell, note
        self._tasks: dict[Kind, asyncio.Task[None]] = {}
        self._started_s = asyncio.get_running_loop().time()
        self._before: dict[Kind, bool | None] = {}
        """The last result of each; None: it could not be asked."""

    def start(self) -> None:
        """The container has just been started."""
        for kind, probe in self.state.probes:
            if kind not in self._tasks and self.state.is_due(kind):
                self._tasks[kind] = asyncio.create_task(self._run(kind, probe))

    def close(self) -> None:
        """No verdict comes after it."""
        for task in self._tasks.values():
            task.cancel()

    async def _run(self, kind: Kind, probe: Probe) -> None:
        now_s = asyncio.get_running_loop().time
        first_s = due_s = rhythm.first_at_s(probe, self._started_s, now_s())
        while self.state.is_due(kind):
            await asyncio.sleep(max(0.0, due_s - now_s()))
            begun_s = now_s()
            result = await self._ask(kind, probe)
            if result is not None:
                self._take(kind, result)
            due_s = rhythm.next_at_s(probe, first_s, begun_s, now_s())

    async def _ask(self, kind: Kind, probe: Probe) -> Result | None:
        """None: nothing was learned of the container. Mesos takes a question that could not be asked for a failure,
        kubelet for no result. A failure of a container that ends is none of its own: it answers because it ends.
        """
        answer = await self._answer(probe)
        if not (isinstance(answer, Result) and answer.ok) and not self._reach.runs():
            return None
        if isinstance(answer, ExecutorError):
            return self._could_not_ask(kind, answer)
        self._note(kind, answer, first=self._before.get(kind) is not answer.ok)
        self._before[kind] = answer.ok
        return answer

    async def _answer(self, probe: Probe) -> Result | ExecutorError:
        try:
            return await ask(probe.action, probe.timeout_s, self._reach, self._means)
        except ExecutorError as error:
            return error
        except Exception as error:  # noqa: BLE001 - what fails for one container harms no other
            defect = Failure(f"a defect of the executor: {type(error).__name__}: {error}")
            return exhausted.translated(error) or defect

    def _could_not_ask(self, kind: Kind, error: ExecutorError) -> Result | None:
        self._note(kind, error, first=kind not in self._before or self._before[kind] is not None)
        self._before[kind] = None
        return Result(ok=False, message=str(error)) if kind in _MESOS else None

    def _take(self, kind: Kind, result: Result) -> None:
        age_s = asyncio.get_running_loop().time() - self._started_s
        self.state, verdict = state.take(self.state, kind, result, age_s)
        if verdict is None:
            return
        if verdict.fatal:
            own = asyncio.current_task()
            for task in self._tasks.values():
                if task is not own:
                    task.cancel()
        elif kind is Kind.STARTUP:
            self.start()
        self._tell(verdict)
