"""Run by test_held.py, as root, each time in a process of its own that has lost some system calls."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from cgroups.held import HeldProcess, stat_fields
from tests.support.sources import ROOT


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process
        process.kill()


def held(pid: int) -> HeldProcess:
    process = HeldProcess.open(pid)
    assert process is not None
    assert process.is_pidfd == (os.environ["MPE_TEST_WITHOUT"] == "none")
    return process


async def test_a_process_ends_and_is_seen_to(sleeper: subprocess.Popen[bytes]) -> None:
    with held(sleeper.pid) as process:
        assert not process.has_ended()
        assert process.send(signal.SIGTERM)
        async with asyncio.timeout(10):
            await process.ended()
        assert process.has_ended(), "a zombie has ended"
        assert sleeper.wait() == -signal.SIGTERM
        assert process.has_ended() and not process.send(signal.SIGKILL)
    assert HeldProcess.open(sleeper.pid) is None


async def test_any_number_of_callers_waits_for_its_end(sleeper: subprocess.Popen[bytes]) -> None:
    """One that gives up does not take the others' end from them."""
    with held(sleeper.pid) as process:
        first, second, third = (asyncio.create_task(process.ended()) for _ in range(3))
        await asyncio.sleep(0.01)
        third.cancel()
        await asyncio.wait({third})
        sleeper.kill()
        async with asyncio.timeout(10):
            await asyncio.gather(first, second)


def test_a_process_is_no_other_of_its_pid(sleeper: subprocess.Popen[bytes]) -> None:
    """The pid is given out again at once, in a pid namespace of its own where the next one can be chosen."""
    program = """
import os, signal, subprocess
from cgroups.held import HeldProcess
first = subprocess.Popen(["sleep", "1000"])
held = HeldProcess.open(first.pid)
first.kill(); first.wait()
open("/proc/sys/kernel/ns_last_pid", "w").write(str(first.pid - 1))
second = subprocess.Popen(["sleep", "1000"])
assert second.pid == first.pid, (first.pid, second.pid)
assert held.has_ended() and not held.send(signal.SIGKILL)
assert second.poll() is None
second.kill(); second.wait()
held.close()
"""
    line = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", program]
    ran = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert sleeper.poll() is None


def test_a_process_lives_while_a_thread_of_it_does() -> None:
    """Its first thread has ended: the process is shown as a zombie, and lives."""
    program = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(1000,)).start(); "
    program += "print('go', flush=True); ctypes.CDLL(None).syscall(60, 0)"
    if os.uname().machine != "x86_64":
        program = program.replace("syscall(60", "syscall(93")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        with held(process.pid) as leader:
            while stat_fields(leader._stat())[0] != b"Z" if not leader.is_pidfd else False:
                threading.Event().wait(0.01)
            assert not leader.has_ended()
            process.kill()
            process.wait()
            assert leader.has_ended()


def test_a_process_that_may_not_be_signalled_says_so(sleeper: subprocess.Popen[bytes]) -> None:
    libc = ctypes.CDLL(None)
    with held(sleeper.pid) as process:
        assert libc.seteuid(65534) == 0
        assert libc.setresuid(65534, 65534, 0) == 0
        try:
            with pytest.raises(PermissionError):
                process.send(signal.SIGTERM)
        finally:
            libc.setresuid(0, 0, 0)
