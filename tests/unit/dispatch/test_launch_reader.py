"""Launches on their way to a pod: each ends once, whatever comes between, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from executor.dispatch import launch_reader
from executor.dispatch.launch_reader import LaunchReader, is_small
from executor.errors import ExecutorError, Refused
from executor.mesos.events import Launch
from executor.metrics.loop_lag import INTERVAL_S, LoopLag
from executor.names import RevocationId, TaskId
from executor.revocation.request import Request, Select
from executor.spec.model import PodSpec, Policy
from tests.unit.pod.samples import pod, scalar, task, with_image

REVOCATION = Request(RevocationId("r"), "", Select(everything=True), 0.0)


class Listener:
    """Who is told, and a reader that tells."""

    def __init__(self) -> None:
        self.accepted: dict[TaskId, Sequence[Request]] = {}
        self.refused: dict[TaskId, ExecutorError] = {}
        self.settled = 0
        self.on_accept: Callable[[PodSpec], None] = lambda _: None
        self.reader = LaunchReader(Policy(), self._accept, self._refuse)
        self.reader.on_settled(self._settle)

    def _accept(self, spec: PodSpec, revocations: Sequence[Request]) -> None:
        self.on_accept(spec)
        assert not {*spec.task_ids} & {*self.accepted, *self.refused, *self.reader}
        self.accepted.update(dict.fromkeys(spec.task_ids, revocations))

    def _refuse(self, tasks: Sequence[TaskId], error: ExecutorError) -> None:
        assert not {*tasks} & {*self.accepted, *self.refused}
        assert {*tasks} <= {*self.reader}
        self.refused.update(dict.fromkeys(tasks, error))

    def _settle(self) -> None:
        self.settled += 1

    async def empty(self) -> None:
        for _ in range(10_000):
            if not len(self.reader):
                return
            await asyncio.sleep(0.002)
        raise TimeoutError


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found = Listener()
    running = asyncio.create_task(found.reader.run())
    await asyncio.sleep(0)
    yield found
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


def launch(name: str, document: Any = None, **fields: Any) -> Launch:
    found = task(document or pod(), task_id=name, **fields)
    return Launch((found,), group=False, size_bytes=len(json.dumps(found)))


def large(name: str) -> Launch:
    return launch(name, pod({"args": ["x" * 100_000]}))


def slow(name: str) -> Launch:
    """Some 30 ms, as slow as any that is accepted."""
    source = {"resourceFieldRef": {"resource": "limits.cpu"}}
    containers = [{"name": f"c{at}", "image": "a", "env": [{"name": "A", "valueFrom": source}] * 9} for at in range(99)]
    return launch(name, pod(containers=containers))


def group(count: int, **fields: Any) -> Launch:
    one = {"command": {"value": "true"}, "container": with_image(), "resources": [scalar("mem", 8)]}
    return Launch(tuple(task(task_id=f"t{number}", **one) for number in range(count)), group=True, **fields)


async def test_small_and_large_ones_become_pods(listener: Listener) -> None:
    for number in range(5):
        listener.reader.take(launch(f"small-{number}"))
        listener.reader.take(large(f"large-{number}"))
    assert len(listener.reader) == 10 and "small-3" in listener.reader
    await listener.empty()
    assert [name for name in listener.accepted if name.startswith("small")] == [f"small-{n}" for n in range(5)]
    assert [name for name in listener.accepted if name.startswith("large")] == [f"large-{n}" for n in range(5)]
    assert listener.settled == 10 and not listener.refused


async def test_what_cannot_work_is_refused(listener: Listener) -> None:
    def refuse(_: PodSpec) -> None:
        raise Refused("not here")

    listener.reader.take(launch("typo", pod({"imagge": 1})))
    listener.reader.take(launch("large-typo", pod({"imagge": "x" * 100_000})))
    listener.reader.take(Launch((task(task_id="huge"),), group=False, fault="has more than 5 values"))
    listener.reader.take(Launch((task(task_id="no-form", resources=7),), group=False))
    await listener.empty()
    listener.on_accept = refuse
    listener.reader.take(launch("other"))
    await listener.empty()
    assert {name: str(error)[:40] for name, error in listener.refused.items()} == {
        "typo": "spec.containers[0].imagge: is not a fiel",
        "large-typo": "spec.containers[0].imagge: is not a fiel",
        "huge": "TaskInfo: has more than 5 values",
        "no-form": "TaskInfo.resources: expected array, got ",
        "other": "not here",
    }
    assert not listener.accepted and listener.settled == 5


async def test_a_defect_is_that_launches_own(listener: Listener) -> None:
    def fail(_: PodSpec) -> None:
        raise ZeroDivisionError("oh")

    listener.on_accept = fail
    listener.reader.take(launch("a"))
    await listener.empty()
    listener.on_accept = lambda _: None
    listener.reader.take(launch("b"))
    await listener.empty()
    assert "the executor could not read it: ZeroDivisionError: oh" in str(listener.refused[TaskId("a")])
    assert list(listener.accepted) == ["b"]


async def test_what_is_dropped_is_neither_accepted_nor_refused(listener: Listener) -> None:
    listener.reader.take(slow("killed"))
    listener.reader.take(large("next"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is being read
    assert listener.reader.drop(TaskId("killed")) == ("killed",)
    assert "killed" not in listener.reader and listener.reader.has_ended(TaskId("killed"))
    listener.reader.take(large("killed"))
    await listener.empty()
    assert sorted(listener.accepted) == ["killed", "next"], "the same id, launched anew"
    listener.reader.take(large("a"))
    listener.reader.take(launch("b"))
    assert sorted(listener.reader.drop_all()) == [("a",), ("b",)]
    assert not len(listener.reader)


async def test_a_launch_of_thousands_is_told_slice_by_slice(listener: Listener) -> None:
    listener.reader.take(group(3000))
    for _ in range(100):
        await asyncio.sleep(0)
        if listener.refused:
            break
    assert 0 < len(listener.refused) <= 2 * launch_reader.SLICE
    told = {*listener.refused}
    left = listener.reader.drop(TaskId("t2999"))
    assert {*left} | told == {f"t{number}" for number in range(3000)}
    assert not {*left} & told
    await asyncio.sleep(0.05)
    assert {*listener.refused} == told, "dropped in the middle"


async def test_revocations_that_come_meanwhile_are_told(listener: Listener) -> None:
    listener.reader.revoked(REVOCATION)
    listener.reader.take(large("a"))
    listener.reader.revoked(REVOCATION)
    listener.reader.take(launch("b"))
    await listener.empty()
    assert listener.accepted == {"a": [REVOCATION], "b": []}


async def test_too_much_that_waits_is_refused(listener: Listener) -> None:
    one = large("x")
    for number in range(3):
        tasks = ({**one.tasks[0], "task_id": {"value": str(number)}},)
        listener.reader.take(Launch(tasks, group=False, size_bytes=launch_reader.WAITING_MAX_BYTES // 2))
    await listener.empty()
    assert list(listener.refused) == ["0"], "there was room again for the others"
    assert "wait to be read" in str(listener.refused[TaskId("0")])
    assert list(listener.accepted) == ["1", "2"]


async def test_a_thread_that_cannot_start_costs_one_launch(listener: Listener) -> None:
    listener.reader._thread.shutdown()
    listener.reader.take(large("a"))
    listener.reader.take(launch("b"))
    await listener.empty()
    assert "cannot be read" in str(listener.refused[TaskId("a")]) and list(listener.accepted) == ["b"]


async def most_lags_s(goes_on: Callable[[], object]) -> float:
    """What nine of ten turns of the loop last at most, meanwhile."""
    lags = []
    while goes_on():
        begin = time.perf_counter()
        await asyncio.sleep(0.001)
        lags.append(time.perf_counter() - begin)
    return sorted(lags)[len(lags) * 9 // 10]


def compute() -> None:
    end_s = time.thread_time() + 0.1
    while time.thread_time() < end_s:
        pass


async def test_the_loop_goes_on_while_launches_are_read(listener: Listener) -> None:
    """As it does beside any other thread that computes, however busy the machine is."""
    other = asyncio.create_task(asyncio.to_thread(compute))
    usual_s = await most_lags_s(lambda: not other.done())
    for number in range(10):
        listener.reader.take(slow(str(number)))
    assert await most_lags_s(lambda: len(listener.reader)) < 0.04 + 2 * usual_s
    assert len(listener.accepted) == 10


def test_what_is_small() -> None:
    assert is_small(launch("a"))
    assert not is_small(large("a"))
    plain = json.dumps(pod({"args": ["x" * 100_000]})).encode()
    packed = task(base64.b64encode(gzip.compress(plain)).decode())
    for data, small in (
        (base64.b64encode(gzip.compress(plain)).decode(), False),
        (base64.b64encode(gzip.compress(b"{}")).decode(), True),
        (base64.b64encode(gzip.compress(plain)[:50]).decode(), True),
        ("H4sI!", True),
        (7, True),
    ):
        assert is_small(Launch(({**packed, "data": data},), group=False)) is small


async def test_lag_is_seen() -> None:
    lag = LoopLag()
    running = asyncio.create_task(lag.run())
    await asyncio.sleep(INTERVAL_S / 2)
    time.sleep(4 * INTERVAL_S)  # noqa: ASYNC251 this is what is to be seen
    await asyncio.sleep(INTERVAL_S * 1.5)
    running.cancel()
    assert lag.seconds.sum > 2 * INTERVAL_S
    assert sum(lag.seconds.counts) >= 2


async def test_a_revocation_finds_what_came_before_it(listener: Listener) -> None:
    for number in range(12):
        listener.reader.take(launch(str(number)))
    listener.reader.take(launch("typo", pod({"imagge": 1})))
    listener.reader.take(slow("slow"))
    listener.reader.flush()
    assert len(listener.accepted) == 12, "at once"
    listener.reader.revoked(REVOCATION)
    await listener.empty()
    assert listener.accepted[TaskId("3")] == [] and listener.accepted[TaskId("slow")] == [REVOCATION]
    assert list(listener.refused) == ["typo"] and listener.settled == 14


async def test_a_revocation_waits_for_launches_no_longer_than_it_must(listener: Listener) -> None:
    for number in range(200):
        listener.reader.take(launch(str(number), pod({"env": [{"name": "A", "value": "x"}] * 300})))
    begin = time.thread_time()
    listener.reader.flush()
    assert time.thread_time() - begin < 0.1
    assert 0 < len(listener.accepted) < 200
    await listener.empty()
    assert len(listener.accepted) == 200
