"""The exit status of a process that nobody has reaped."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from executor.pod.exits.unreported import zombie_exit_code


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 128 + 9), ("kill -15 $$", 128 + 15)],
)
def test_a_zombie_tells_how_it_ended(command: str, code: int) -> None:
    with subprocess.Popen(["sh", "-c", command]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert zombie_exit_code(process.pid) == code
        process.wait()
        assert zombie_exit_code(process.pid) is None, "it was reaped"


def test_a_process_that_lives_or_is_stopped_has_not_ended() -> None:
    with subprocess.Popen(["sleep", "1000"]) as process:
        assert zombie_exit_code(process.pid) is None
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        assert zombie_exit_code(process.pid) is None
        process.kill()
