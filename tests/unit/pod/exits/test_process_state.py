"""First processes: ending or not."""

from __future__ import annotations

import os
import subprocess
import sys

from cgroups.held import HeldProcess
from executor.pod.exits import process_state
from tests.support.rig import wait_for

EXIT = {"x86_64": 60, "aarch64": 93}[os.uname().machine]
"""The system call of one thread's end."""


def test_a_process_that_is_held_is_ending_once_it_is_killed() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        assert not process_state.is_ending(process.pid)
        leader = HeldProcess.open(process.pid)
        assert leader is not None
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process_state.is_ending(process.pid), "a zombie has ended"
        assert leader.has_ended()
        leader.close()
    assert process_state.is_ending(process.pid), "and so has who is gone"


def test_a_process_without_memory_is_ending() -> None:
    """Its parent ends it by SIGKILL while its first thread has ended already, and another one lives."""
    code = "import ctypes, threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); "
    code += f"print(flush=True); ctypes.CDLL(None).syscall({EXIT}, 0)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        wait_for(lambda: process_state.is_ending(process.pid), 10)
        assert process.poll() is None
        process.kill()
