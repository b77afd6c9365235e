"""What is typed: the end of `top`, and a command for `exec` without dashes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from executor.cli.pods.exec import separated

WAIT = (
    "from executor.cli.printing import terminal\n"
    "with terminal.quit_key() as wait: print('waits', flush=True); print(wait(60))"
)


def test_q_ends_a_wait_on_a_terminal_and_other_keys_do_not() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", WAIT], stdin=theirs, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "waits\n"
    begun_s = time.monotonic()
    os.write(ours, b"x")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    os.write(ours, b"q")
    assert process.stdout.read() == "True\n" and time.monotonic() - begun_s < 30
    process.communicate()
    os.close(ours)
    os.close(theirs)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("web sh -c x", "web -- sh -c x"),
        ("web -c main sh -c x", "web -c main -- sh -c x"),
        ("-it web sh", "-it web -- sh"),
        ("-itc main web sh -c x", "-itc main web -- sh -c x"),
        ("--container main web sh", "--container main web -- sh"),
        ("--container=main web sh", "--container=main web -- sh"),
        ("web -- sh -c x", "web -- sh -c x"),
        ("-c main -- web sh", "-c main -- web sh"),
        ("web", "web"),
        ("web --json ls --json", "web --json -- ls --json"),
    ],
)
def test_a_command_needs_no_dashes(words: str, expected: str) -> None:
    assert separated(words.split()) == expected.split()
