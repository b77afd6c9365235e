"""Slow work has a thread of its own, in turns, of low priority, and never keeps the process from its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from executor.disk.turns import NICE, Call, Turns


class Steps:
    """`turns` of them; what is done in each is noted."""

    def __init__(self, name: str, turns: int, order: list[str], gate: threading.Event | None = None) -> None:
        self.name, self.turns, self.order, self.gate = name, turns, order, gate
        self.begun, self.closed = threading.Event(), 0

    def turn(self) -> bool:
        self.begun.set()
        if self.gate is not None:
            self.gate.wait(10)
        self.order.append(self.name)
        self.turns -= 1
        return self.turns <= 0

    def close(self) -> None:
        self.closed += 1


async def test_jobs_take_turns_and_an_urgent_one_goes_first() -> None:
    turns, order, gate = Turns("test"), list[str](), threading.Event()
    jobs = [Steps("a", 3, order, gate), Steps("b", 3, order), Steps("u", 3, order)]
    running = [asyncio.create_task(turns.run(job)) for job in jobs[:2]]
    await asyncio.sleep(0)
    running.append(asyncio.create_task(turns.run(jobs[2], urgent=True)))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*running)
    assert "".join(order) in ("auuubabab", "uuuababab")
    assert [job.closed for job in jobs] == [1, 1, 1]


async def test_a_job_that_hangs_blocks_nothing_else() -> None:
    """asyncio's own threads are free, however many such jobs there are."""
    turns, gate = Turns("test"), threading.Event()
    running = [asyncio.create_task(turns.run(Steps("hung", 1, [], gate))) for _ in range(100)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: 7) == 7
    gate.set()
    await asyncio.gather(*running)


async def test_what_a_turn_raises_is_raised_and_the_next_job_runs() -> None:
    def fail() -> int:
        raise OSError(5, "I/O error")

    turns = Turns("test")
    with pytest.raises(OSError, match="I/O error"):
        await turns.run(Call(fail))
    answer = Call(lambda: 3)
    await turns.run(answer)
    assert answer.result == 3


async def test_a_job_that_nobody_waits_for_is_closed() -> None:
    turns, gate = Turns("test"), threading.Event()
    job = Steps("a", 1_000_000, [], gate)
    task = asyncio.create_task(turns.run(job))
    assert await asyncio.to_thread(job.begun.wait, 10)
    task.cancel()
    gate.set()
    await asyncio.gather(task, return_exceptions=True)
    for _ in range(2):  # the first may take its turn before the job's next one
        await turns.run(Call(lambda: 0))
    assert job.closed == 1 and job.turns > 0


def niceness() -> int:
    """This thread's."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


async def test_the_thread_has_a_low_priority() -> None:
    seen, before = Call(niceness), niceness()
    await Turns("test").run(seen)
    assert seen.result == max(NICE, before)
    assert niceness() == before


async def test_a_lower_priority_stays() -> None:
    """A thread has the priority of the thread that starts it; root could also give it a higher one."""
    turns, seen = Turns("test"), Call(niceness)

    def start() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        turns.start()

    await asyncio.to_thread(start)
    await turns.run(seen)
    assert seen.result == 19


def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    program = """
import asyncio, time
from executor.disk.turns import Call, Turns

async def main():
    task = asyncio.create_task(Turns("hung").run(Call(lambda: time.sleep(600) or 0)))
    await asyncio.sleep(0.1)
    task.cancel()

asyncio.run(main())
"""
    done: Any = subprocess.run([sys.executable, "-c", program], timeout=30, check=False)
    assert done.returncode == 0
