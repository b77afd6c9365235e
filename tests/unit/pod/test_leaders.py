"""First processes by their pidfds: alive, ending, ended."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator

import pytest

from executor.pod import leaders


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


async def test_a_process_ends_wherever_it_is(sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = os.pidfd_open(sleeper.pid)
    try:
        assert not leaders.has_ended(pidfd) and not leaders.is_ending(sleeper.pid)
        leaders.kill(pidfd)
        async with asyncio.timeout(10):
            await leaders.ended(pidfd)
        assert leaders.has_ended(pidfd) and leaders.is_ending(sleeper.pid), "a zombie has ended"
        sleeper.wait()
        leaders.kill(pidfd)
        assert leaders.is_ending(sleeper.pid), "and so has who is gone"
    finally:
        os.close(pidfd)


def test_the_flags_are_read_whatever_the_process_calls_itself() -> None:
    for name in (b"sh", b"a) R 1 2 (b", b"\xff\r"):
        assert leaders.flags(b"7 (" + name + b") S 4 5 6 7 8 1077936132 10") == 1077936132
