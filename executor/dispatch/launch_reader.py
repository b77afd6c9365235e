"""Launches on their way from the agent to a pod: read one at a time, and never while the event loop waits for it.

A small launch is read on the loop, in some milliseconds at most; a larger one in a thread of its own, in some tens of
them. What a description may hold is bounded (executor.spec.reading), so none takes longer, and a thread is enough: it
takes turns with the loop. After one that took long its lane rests three times as long, for a
revocation must not meet a queue of launches. Invariants: every launch ends in `accept` or `refuse`, once, but those
that were dropped; until then its tasks are in here, so that the executor is not taken for idle.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from executor import exhausted
from executor.concurrency import ready_threads
from executor.errors import ExecutorError, Failure, InvalidTask
from executor.log import get_logger
from executor.spec.model import Policy
from executor.spec.reading import document as manifest

if TYPE_CHECKING:
    from executor.mesos.events import Launch
    from executor.names import TaskId
    from executor.revocation.request import Request
    from executor.spec.model import PodSpec

log = get_logger(__name__)

Result = Callable[[], "PodSpec"]
"""Gives what was read, or raises what was wrong with it."""

SMALL_BYTES = 16 << 10
"""The size of a launch as JSON, and of its data once it is inflated: what is read on the loop."""
WAITING_MAX_BYTES = 64 << 20
REST, REST_MAX_S, REST_ABOVE_S = 3.0, 0.2, 0.002
FLUSH_S = 0.03
"""CPU time: some thirty launches of the usual size."""
ENDED_MAX = 1000
SLICE = 20
"""Statuses that are made without a pause."""


@dataclass(eq=False)
class Coming:
    """One launch that is not a pod yet. `revocations` are those that came after it."""

    launch: Launch
    tasks: tuple[TaskId, ...]
    waiting_bytes: int = 0
    dropped: bool = False
    revocations: list[Request] = field(default_factory=list)


class LaunchReader(Collection["TaskId"]):
    """As a collection: the tasks that are in here.

    `accept` makes a pod, or raises ExecutorError. `refuse` tells the framework, task by task.
    """

    def __init__(
        self,
        policy: Policy,
        accept: Callable[[PodSpec, Sequence[Request]], None],
        refuse: Callable[[Sequence[TaskId], ExecutorError], None],
    ) -> None:
        self._policy = policy
        self._accept = accept
        self._refuse = refuse
        self._on_settled: list[Callable[[], None]] = []
        self._coming: dict[TaskId, Coming] = {}
        self._ended: dict[TaskId, None] = {}
        self._waiting_bytes = 0
        self._small, self._large = _Lane(), _Lane()
        self._ending: set[asyncio.Task[None]] = set()
        self._thread = ready_threads(1, "launch_reader")

    def on_settled(self, listener: Callable[[], None]) -> None:
        """Called after each launch has become a pod or was refused."""
        self._on_settled.append(listener)

    def __len__(self) -> int:
        return len(self._coming)

    def __iter__(self) -> Iterator[TaskId]:
        return iter(self._coming)

    def __contains__(self, task: object) -> bool:
        return task in self._coming

    def take(self, launch: Launch) -> None:
        """A launch whose tasks are unknown so far."""
        coming = Coming(launch, launch.task_ids, launch.size_bytes)
        self._coming.update(dict.fromkeys(coming.tasks, coming))
        self._waiting_bytes += coming.waiting_bytes
        (self._small if is_small(launch) else self._large).put(coming)

    def drop(self, task: TaskId) -> tuple[TaskId, ...]:
        """The launch of this task is given up; its tasks, for the caller to tell the framework of."""
        coming = self._coming[task]
        coming.dropped = True
        left = tuple(each for each in coming.tasks if self._coming.get(each) is coming)
        self._forget(coming)
        self._remember(left)
        return left

    def drop_all(self) -> list[tuple[TaskId, ...]]:
        """Give up every launch. Returns the tasks of each, for the caller to report."""
        return [self.drop(coming.tasks[0]) for coming in set(self._coming.values())]

    def revoked(self, request: Request) -> None:
        """A revocation that is being carried out: pods that it names, and that come later, it takes as well."""
        for coming in set(self._coming.values()):
            coming.revocations.append(request)

    def has_ended(self, task: TaskId) -> bool:
        """Whether its end was reported, lately, before it was a pod."""
        return task in self._ended and task not in self._coming

    def _remember(self, tasks: Sequence[TaskId]) -> None:
        self._ended.update(dict.fromkeys(tasks))
        while len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]

    def _forget(self, coming: Coming) -> None:
        self._waiting_bytes -= coming.waiting_bytes
        coming.waiting_bytes = 0
        for task in coming.tasks:
            self._coming.pop(task, None)

    def flush(self) -> None:
        """A revocation is about to choose: small launches that came before it become pods now, as far as FLUSH_S goes.
        What does not is taken once it is read (`revoked`).
        """
        deadline_s = time.thread_time() + FLUSH_S
        while len(self._small) and time.thread_time() < deadline_s:
            coming = self._small.pop()
            if not coming.dropped:
                ending = asyncio.ensure_future(self._end(coming, self._attempt(coming, partial(self._read, coming))))
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work(self._small, self._read_here, time.thread_time))
                group.create_task(self._work(self._large, self._read_in_thread, time.monotonic))
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(
        self, lane: _Lane, read: Callable[[Coming], Awaitable[Result]], clock_s: Callable[[], float]
    ) -> None:
        while True:
            coming = await lane.get()
            if coming.dropped:
                continue
            begin_s = clock_s()
            error = self._attempt(coming, await read(coming))
            took_s = clock_s() - begin_s
            await self._end(coming, error)
            await asyncio.sleep(min(REST * took_s, REST_MAX_S) if took_s > REST_ABOVE_S else 0)

    def _attempt(self, coming: Coming, result: Result) -> ExecutorError | None:
        """Makes a pod of what was read. Why not, if not; nothing happens to what was dropped."""
        try:
            spec = result()
            if not coming.dropped:
                self._forget(coming)  # without a pause before it is a pod
                self._accept(spec, coming.revocations)
        except ExecutorError as error:
            return error
        except Exception as error:
            if (found := exhausted.tell(log, error)) is not None:
                return found
            log.exception("defect while reading a launch", code="executor.defect", tasks=list(coming.tasks))
            return InvalidTask(f"the executor could not read it: {type(error).__name__}: {error}")
        return None

    async def _end(self, coming: Coming, error: ExecutorError | None) -> None:
        if error is not None and not coming.dropped:
            await self._tell(coming, error)
        for listener in self._on_settled:
            listener()

    async def _tell(self, coming: Coming, error: ExecutorError) -> None:
        """Slice by slice: a launch may have thousands of tasks."""
        self._forget(coming)
        self._coming.update(dict.fromkeys(coming.tasks, coming))
        log.warning("launch refused", code="pod.refused", tasks=list(coming.tasks), error=error)
        for begin in range(0, len(coming.tasks), SLICE):
            if coming.dropped:
                return
            self._refuse(coming.tasks[begin : begin + SLICE], error)
            for task in coming.tasks[begin : begin + SLICE]:
                self._coming.pop(task, None)
            self._remember(coming.tasks[begin : begin + SLICE])
            await asyncio.sleep(0)

    def _read(self, coming: Coming) -> PodSpec:
        launch = coming.launch
        if launch.fault:
            raise InvalidTask(launch.fault, subject="tasks" if launch.group else "TaskInfo")
        from executor.spec.launch import parse_launch  # the decoders are loaded with the first launch

        return parse_launch(launch.tasks, group=launch.group, policy=self._policy)

    async def _read_here(self, coming: Coming) -> Result:
        return partial(self._read, coming)

    async def _read_in_thread(self, coming: Coming) -> Result:
        if self._waiting_bytes > WAITING_MAX_BYTES:
            return _failing(
                f"launches of {self._waiting_bytes} bytes wait to be read, which is more than {WAITING_MAX_BYTES}",
                "launch it again later, or with less in its data",
            )
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read, coming)
        except RuntimeError as error:
            hint = "see the limits of threads: kernel.threads-max, pids.max of the executor's cgroup"
            return _failing(f"cannot be read: {error}", hint)
        await asyncio.wait({reading})
        return reading.result


def _failing(message: str, hint: str) -> Result:
    def fail() -> PodSpec:
        raise Failure(message, hint=hint)

    return fail


class _Lane:
    """Launches in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: deque[Coming] = deque()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, coming: Coming) -> None:
        self._waiting.append(coming)
        self._filled.set()

    def pop(self) -> Coming:
        """The oldest, which is there."""
        return self._waiting.popleft()

    async def get(self) -> Coming:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self.pop()


def is_small(launch: Launch) -> bool:
    """Whether it is read in some milliseconds. Pure."""
    if launch.fault or launch.size_bytes > SMALL_BYTES:
        return False
    return all(manifest.inflates_within(task.get("data"), SMALL_BYTES) for task in launch.tasks)
