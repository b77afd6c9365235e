"""Work that must not be cut short runs to its end, however often whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
import threading

import pytest

from executor.concurrency import FirstAlone, first_to_end, in_own_thread, ready_threads, to_the_end


class Work:
    def __init__(self, failure: Exception | None = None) -> None:
        self.go_on = asyncio.Event()
        self.ended = ""
        self._failure = failure

    async def run(self) -> str:
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.ended = "cut short"
            raise
        self.ended = "done"
        if self._failure is not None:
            raise self._failure
        return "result"


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("cancellations", [1, 2, 5])
async def test_however_often_it_is_cancelled(cancellations: int) -> None:
    work = Work()
    caller = asyncio.create_task(to_the_end(work.run()))
    for _ in range(cancellations):
        await turn()
        caller.cancel()
    await turn()
    assert not caller.done() and work.ended == ""
    work.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.ended == "done"


async def test_a_limit_and_an_abort_that_come_together() -> None:
    """As for a launch whose time is over, and whose pod is killed meanwhile."""
    work = Work()

    async def launch() -> None:
        async with asyncio.timeout(0.01):
            await to_the_end(work.run())

    caller = asyncio.create_task(launch())
    await asyncio.sleep(0.03)
    caller.cancel()
    await turn()
    work.go_on.set()
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await caller
    assert work.ended == "done"


async def test_what_it_gives_and_what_it_raises() -> None:
    fine, failing = Work(), Work(ValueError("no"))
    for work in (fine, failing):
        work.go_on.set()
    assert await to_the_end(fine.run()) == "result"
    with pytest.raises(ValueError, match="no"):
        await to_the_end(failing.run())


async def test_a_failure_after_a_cancellation_is_not_reported_as_lost() -> None:
    work, lost = Work(ValueError("no")), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    caller = asyncio.create_task(to_the_end(work.run()))
    await turn()
    caller.cancel()
    work.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    del caller
    await turn()
    assert lost == []


def test_threads_that_are_ready_need_no_start_later_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with ready_threads(4, "ready") as pool:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        meet = threading.Barrier(4)
        assert sorted(pool.map(lambda _: meet.wait(10), range(4))) == [0, 1, 2, 3], "all four at the same time"
        with pytest.raises(RuntimeError, match="can't start"):
            ready_threads(2, "late")


async def test_a_thread_of_its_own_ends_after_its_work() -> None:
    def who() -> tuple[str, int]:
        return threading.current_thread().name, threading.get_ident()

    first, second = await in_own_thread(who, "one"), await in_own_thread(who, "two")
    assert (first[0], second[0]) == ("one", "two")
    assert threading.get_ident() not in (first[1], second[1])

    def fails() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await in_own_thread(fails, "one")
    go, seen = threading.Event(), list[int]()

    def waits() -> None:
        go.wait(5)
        seen.append(1)

    task = asyncio.create_task(in_own_thread(waits, "slow"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    async with asyncio.timeout(5):
        while not seen:  # noqa: ASYNC110 the thread's
            await asyncio.sleep(0.01)


async def test_the_first_to_end_ends_the_others() -> None:
    slow = Work()
    await first_to_end(slow.run(), asyncio.sleep(0))
    assert slow.ended == "cut short"
    with pytest.raises(OSError, match="no"):
        await first_to_end(Work().run(), _fails())
    slow, cancelled = Work(), Work()
    waiting = asyncio.create_task(first_to_end(slow.run(), cancelled.run()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert (slow.ended, cancelled.ended, waiting.cancelled()) == ("cut short", "cut short", True)


async def _fails() -> None:
    raise OSError("no")


async def test_the_first_is_alone_and_the_others_run_together() -> None:
    made, running, most = list[int](), 0, dict[bool, int]()
    gate = FirstAlone(lambda: bool(made))

    async def work(number: int) -> int:
        nonlocal running
        async with gate.turn():
            running += 1
            before = bool(made)
            await asyncio.sleep(0.01)
            most[before] = max(most.get(before, 0), running)
            running -= 1
            if number == 0:
                raise ValueError("the first one fails")
            made.append(number)
        return number

    found = await asyncio.gather(*(work(number) for number in range(6)), return_exceptions=True)
    assert isinstance(found[0], ValueError) and found[1:] == [1, 2, 3, 4, 5]
    assert most == {False: 1, True: 4}
