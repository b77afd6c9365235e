"""Launches on their way from the agent to a pod: read one at a time, and never while the event loop waits for it.

A small launch is read on the loop, in some milliseconds at most; a larger one in a thread of its own, in some tens of
them. What a description may hold is bounded (executor.pod.manifest, executor.pod.schema), so none takes longer, and a
thread is enough: it takes turns with the loop. After each one both lanes rest three times as long as it took, for a
revocation must not meet a queue of launches. Invariants: every launch ends in `accept` or `refuse`, once, but those
that were dropped; until then its tasks are in here, so that nobody takes the executor for idle or a task for unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from executor import exhausted
from executor.errors import ExecutorError, Failure, InvalidTask
from executor.log import get_logger
from executor.pod import manifest
from executor.pod.spec import Policy, parse_launch

if TYPE_CHECKING:
    from executor.mesos.events import Launch
    from executor.names import TaskId
    from executor.pod.spec import PodSpec
    from executor.revocation.request import Request

log = get_logger(__name__)

SMALL_BYTES = 16 << 10
"""Of a launch as JSON, and of its data once it is inflated: what is read on the loop."""
WAITING_MAX_BYTES = 64 << 20
REST, REST_MAX_S = 3.0, 0.2
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


class Intake(Collection["TaskId"]):
    """As a collection: the tasks that are in here.

    `accept` makes a pod, or raises ExecutorError. `refuse` tells the framework, task by task. `settled` is called
    after each launch has become a pod or was refused.
    """

    def __init__(
        self,
        policy: Policy,
        accept: Callable[[PodSpec, Sequence[Request]], None],
        refuse: Callable[[Sequence[TaskId], ExecutorError], None],
        settled: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._accept = accept
        self._refuse = refuse
        self._settled = settled
        self._coming: dict[TaskId, Coming] = {}
        self._waiting_bytes = 0
        self._small, self._large = _Lane(), _Lane()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="intake")

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
        return left

    def drop_all(self) -> list[tuple[TaskId, ...]]:
        return [self.drop(coming.tasks[0]) for coming in set(self._coming.values())]

    def revoked(self, request: Request) -> None:
        """A revocation that is being carried out: pods that it names, and that come later, it takes as well."""
        for coming in set(self._coming.values()):
            coming.revocations.append(request)

    def _forget(self, coming: Coming) -> None:
        self._waiting_bytes -= coming.waiting_bytes
        coming.waiting_bytes = 0
        for task in coming.tasks:
            self._coming.pop(task, None)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._work(self._small, self._read))
                group.create_task(self._work(self._large, self._read_in_thread))
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self, lane: _Lane, read: Callable[[Coming], object]) -> None:
        while True:
            coming = await lane.get()
            if coming.dropped:
                continue
            took_s = await self._settle(coming, read)
            await asyncio.sleep(min(REST * took_s, REST_MAX_S))

    async def _settle(self, coming: Coming, read: Callable[[Coming], object]) -> float:
        """Seconds that the reading took."""
        begin = time.monotonic()
        error: ExecutorError | None = None
        try:
            found = read(coming)
            spec: PodSpec = await found if asyncio.isfuture(found) else found  # type: ignore[assignment]
            took_s = time.monotonic() - begin
            if not coming.dropped:
                self._forget(coming)  # without a pause before it is a pod
                self._accept(spec, coming.revocations)
        except ExecutorError as refusal:
            error, took_s = refusal, time.monotonic() - begin
        except Exception as defect:
            took_s = time.monotonic() - begin
            error = exhausted.tell(log, defect)
            if error is None:
                log.exception("defect while reading a launch", code="executor.defect", tasks=list(coming.tasks))
                error = InvalidTask(f"the executor could not read it: {type(defect).__name__}: {defect}")
        if error is not None and not coming.dropped:
            await self._tell(coming, error)
        self._settled()
        return took_s

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
            await asyncio.sleep(0)

    def _read(self, coming: Coming) -> PodSpec:
        launch = coming.launch
        if launch.fault:
            raise InvalidTask(launch.fault, subject="tasks" if launch.group else "TaskInfo")
        return parse_launch(launch.tasks, group=launch.group, policy=self._policy)

    def _read_in_thread(self, coming: Coming) -> asyncio.Future[PodSpec]:
        if self._waiting_bytes > WAITING_MAX_BYTES:
            raise Failure(
                f"launches of {self._waiting_bytes} bytes wait to be read, which is more than {WAITING_MAX_BYTES}",
                mend="launch it again later, or with less in its data",
            )
        try:
            return asyncio.get_running_loop().run_in_executor(self._thread, self._read, coming)
        except RuntimeError as error:
            mend = "see the limits of threads: kernel.threads-max, pids.max of the executor's cgroup"
            raise Failure(f"cannot be read: {error}", mend=mend) from error


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

    async def get(self) -> Coming:
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()


def is_small(launch: Launch) -> bool:
    """Whether it is read in some milliseconds. Pure."""
    if launch.fault or launch.size_bytes > SMALL_BYTES:
        return False
    return all(manifest.inflates_within(task.get("data"), SMALL_BYTES) for task in launch.tasks)
