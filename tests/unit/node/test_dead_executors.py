"""Executors that come and die beside this one: real processes with real locks."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.node.dead_executors import POLL_S, keep_clean
from executor.node.judgement import judged

HOLD = """
import sys, time
from pathlib import Path
from executor.node import claims as owners
with owners.claim(Path(sys.argv[1]), sys.argv[2], "/x"):
    print("held", flush=True)
    sys.stdin.read()
"""
Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def begin(container: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(tmp_path), container]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in running:
        process.kill()
        process.communicate()


class Reaper:
    """Counts its calls, and forgets the dead as the real one does."""

    def __init__(self, run_dir: Path) -> None:
        self.calls = 0
        self.reaped: list[str] = []
        self._run_dir = run_dir

    async def __call__(self) -> bool:
        self.calls += 1
        with judged(self._run_dir, {}) as found:
            for owner in found.dead:
                self.reaped.append(owner.container)
                owners.forget(owner)
        return True

    async def wait(self, container: str) -> float:
        """Seconds until it was reaped."""
        begin = time.monotonic()
        for _ in range(1000):
            if container in self.reaped:
                break
            await asyncio.sleep(0.005)
        return time.monotonic() - begin


async def test_the_death_of_one_that_was_there_and_of_one_that_came_later(tmp_path: Path, start: Start) -> None:
    first, reaper = start("first"), Reaper(tmp_path)
    task = asyncio.create_task(keep_clean(tmp_path, MesosContainerId("own"), reaper))
    await asyncio.sleep(0.05)
    second = start("second")
    await asyncio.sleep(0.05)
    assert reaper.calls == 1, "nothing is polled"
    for process, name in ((second, "second"), (first, "first")):
        os.kill(process.pid, signal.SIGKILL)
        assert await reaper.wait(name) < 1
    assert reaper.calls == 3
    task.cancel()


async def test_a_clean_end_leaves_nothing_to_reap(tmp_path: Path, start: Start) -> None:
    first, reaper = start("first"), Reaper(tmp_path)
    task = asyncio.create_task(keep_clean(tmp_path, MesosContainerId("own"), reaper))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(first.communicate)
    second = start("second")
    os.kill(second.pid, signal.SIGKILL)
    await reaper.wait("second")
    assert reaper.reaped == ["second"]
    task.cancel()


async def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    answers = iter([False, True, True])
    calls: list[float] = []

    async def reap() -> bool:
        calls.append(time.monotonic())
        return next(answers)

    task = asyncio.create_task(keep_clean(tmp_path, MesosContainerId("own"), reap))
    await asyncio.sleep(1.3)
    assert len(calls) == 2 and calls[1] - calls[0] == pytest.approx(1.0, abs=0.2)
    task.cancel()


async def test_a_pid_that_means_another_process_here_deceives_nobody(tmp_path: Path, start: Start) -> None:
    """An executor in a pid namespace writes its pid there: the wake-up comes of a stranger's death."""
    living, stranger = start("living"), start("stranger")
    (tmp_path / "stranger.owner").unlink()
    reaper = Reaper(tmp_path)
    task = asyncio.create_task(keep_clean(tmp_path, MesosContainerId("own"), reaper))
    await asyncio.sleep(0.05)
    (tmp_path / "living.owner").write_text(f'{{"cgroup_root": "/x", "pid": {stranger.pid}}}')
    await asyncio.sleep(0.05)
    os.kill(stranger.pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert reaper.calls == 2 and reaper.reaped == []
    os.kill(living.pid, signal.SIGKILL)
    assert await reaper.wait("living") < 2
    task.cancel()


async def test_what_is_under_way_at_the_end_is_finished(tmp_path: Path) -> None:
    done: list[str] = []

    async def reap() -> bool:
        await asyncio.sleep(0.2)
        done.append("reaped")
        return True

    task = asyncio.create_task(keep_clean(tmp_path, MesosContainerId("own"), reap))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["reaped"]


WITHOUT_A_CALL = """
import asyncio, ctypes, os, struct, sys
from pathlib import Path
from executor.node import claims as owners
from executor.node.dead_executors import keep_clean
from executor.node.judgement import judged

call, number = int(sys.argv[2]), int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (0x06, 0, 0, 0x50000 | number), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rules), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program) == 0
assert libc.syscall(call, os.getpid(), 0) < 0 and ctypes.get_errno() == number

async def reap():
    with judged(Path(sys.argv[1]), {}) as found:
        print(*[owner.container for owner in found.dead] or ["none"], flush=True)
        for owner in found.dead:
            owners.forget(owner)
    return True

asyncio.run(keep_clean(Path(sys.argv[1]), "own", reap))
"""


CALLS = {
    "pidfd_open": (434, errno.ENOSYS),
    "inotify_init1": ({"x86_64": 294, "aarch64": 26}[os.uname().machine], errno.EMFILE),
}


@pytest.mark.parametrize("call", CALLS)
def test_deaths_are_noticed_without_a_call(tmp_path: Path, start: Start, call: str) -> None:
    """The root of a container can use up the inotify instances of the node's root."""
    first = start("first")
    command = [sys.executable, "-c", WITHOUT_A_CALL, str(tmp_path), *map(str, CALLS[call])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        try:
            assert watching.stdout.readline() == "none\n"
            second = start("second")
            time.sleep(0.1 if call == "pidfd_open" else POLL_S + 0.2)
            for process, name in ((first, "first"), (second, "second")):
                os.kill(process.pid, signal.SIGKILL)
                assert watching.stdout.readline() == f"{name}\n"
        finally:
            watching.kill()
