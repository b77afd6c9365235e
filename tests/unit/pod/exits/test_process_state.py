"""First processes: ending or not."""

from __future__ import annotations

import os
import subprocess

from cgroups.held import HeldProcess
from executor.pod.exits import process_state


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


def test_the_flags_are_read_whatever_the_process_calls_itself() -> None:
    for name in (b"sh", b"a) R 1 2 (b", b"\xff\r"):
        assert process_state.flags(b"7 (" + name + b") S 4 5 6 7 8 1077936132 10") == 1077936132
