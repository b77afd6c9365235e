"""Resources that are really used up, each in a child process, and what is told of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from executor import exhausted
from executor.errors import reason
from tests.support.sources import ROOT

PROLOGUE = """
import os, resource, subprocess, threading, time
from executor import exhausted
def tell(error):
    found = exhausted.translated(error, subject="subject")
    print(type(error).__name__, "|", found)
def limit(what, soft):
    resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))
"""
THREADS = """
if os.geteuid() == 0:
    os.setresuid(54321, 54321, 54321)
limit(resource.RLIMIT_NPROC, 1)
"""
USED_UP = {
    "threads": (
        THREADS + "threading.Thread(target=time.sleep, args=(0,)).start()",
        "RuntimeError | subject: no process or thread can be started: can't start new thread",
    ),
    "processes": (
        THREADS + "subprocess.run(['true'])",
        "BlockingIOError | subject: no process or thread can be started: Resource temporarily unavailable",
    ),
    "descriptors": (
        "limit(resource.RLIMIT_NOFILE, 3)\nopen('/dev/null')",
        "OSError | /dev/null: the executor has no file descriptor left: Too many open files",
    ),
    "memory": (
        "limit(resource.RLIMIT_AS, 1 << 28)\nbytearray(1 << 30)",
        "MemoryError | subject: no memory is left for it: MemoryError",
    ),
    "space": (
        "with open('/dev/full', 'w', buffering=1) as file:\n        file.write('x' * 10000)",
        "OSError | subject: no space is left: No space left on device",
    ),
}


@pytest.mark.parametrize("what", USED_UP)
def test_what_is_used_up_is_told_in_words(what: str) -> None:
    code, words = USED_UP[what]
    body = "\n".join(f"    {line}" for line in code.strip().splitlines())
    program = f"{PROLOGUE}\ntry:\n{body}\nexcept BaseException as error:\n    tell(error)\n"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith(f"{words} ("), ran.stdout + ran.stderr


@pytest.mark.parametrize(
    "error", [ValueError("x"), FileNotFoundError(2, "x", "y"), RuntimeError("another"), OSError("x")]
)
def test_anything_else_is_no_such_thing(error: Exception) -> None:
    assert exhausted.translated(error) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("as a text"), "as a text"),
        (TimeoutError(), "TimeoutError"),
        (OSError(24, "Too many open files"), "Too many open files, no file descriptor left: raise ulimit -n"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "'utf-8' codec can't decode"),
    ],
)
def test_a_reason_is_never_none_and_never_empty(error: Exception, words: str) -> None:
    assert reason(error).startswith(words)


def test_nobody_writes_a_system_error_by_hand() -> None:
    """`strerror` may be None, and so may `filename`: `errors.reason` and a subject of the caller's own are neither."""
    allowed = ("executor/errors.py", "cgroups/errors.py")
    found = [
        f"{source}:{number}"
        for source in (*Path(ROOT, "executor").rglob("*.py"), *Path(ROOT, "cgroups").rglob("*.py"))
        for number, line in enumerate(source.read_text().splitlines(), 1)
        if "error.strerror" in line and str(source.relative_to(ROOT)) not in allowed
    ]
    assert found == []


ID = "da72dc56-3501-4443-baf2-532528e74310"


@pytest.mark.parametrize("descriptors", [6, 8, 10])
def test_an_executor_that_cannot_start_says_why_in_one_line(tmp_path: Path, descriptors: int) -> None:
    sandbox = tmp_path / ID
    sandbox.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_AGENT_ENDPOINT": "127.0.0.1:1",
        **{f"MESOS_{name}_ID": "x" for name in ("FRAMEWORK", "EXECUTOR", "SLAVE")},
    }
    line = ["prlimit", f"--nofile={descriptors}", "--", sys.executable, "-m", "executor"]
    ran = subprocess.run(line, cwd=sandbox, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1, ran.stderr
    assert "executor.failed" in ran.stderr and "Traceback" not in ran.stderr, ran.stderr
    assert "file descriptor left" in ran.stderr, ran.stderr
