"""`exec` into containers of a real executor: streams, exit codes, terminals, and nothing left of it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.usefixtures("scheduler")]


def sessions(rig: Rig) -> list[Path]:
    return list(rig.run_dir.glob("streams/*/exec-*"))


@pytest.fixture(autouse=True)
def nothing_left(rig: Rig) -> Iterator[None]:
    yield
    assert wait_for(lambda: None if sessions(rig) else True, 5), sessions(rig)


@contextlib.contextmanager
def start(rig: Rig, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **rig.environment()}
    with subprocess.Popen([*rig.program, "exec", *arguments], env=environment, **options) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def test_output_and_exit_code_are_the_commands(rig: Rig) -> None:
    done = rig.command("exec", "web", "--", "sh", "-c", "echo $GREETING; echo bad >&2; exit 7", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello\n", "bad\n")


def test_a_killed_command_has_the_signals_code(rig: Rig) -> None:
    assert rig.command("exec", "web", "--", "sh", "-c", "kill -9 $$", check=False).returncode == 137


def test_a_shim_that_is_stopped_is_told_in_time_and_the_command_does_not_go_on(rig: Rig) -> None:
    (pod,) = [each for each in rig.pods() if each["name"] == "web"]
    (shim,) = [each for each in rig.containerd.shims() if pod["pod"] in " ".join(psutil.Process(each).cmdline())]
    os.kill(shim, signal.SIGSTOP)
    try:
        done = rig.command("exec", "web", "sleep", "4711", check=False)
    finally:
        os.kill(shim, signal.SIGCONT)
    assert (done.returncode, done.stdout) == (1, "") and "its shim does not answer within 10 s" in done.stderr
    assert rig.command("exec", "web", "--", "echo", "again").stdout == "again\n"
    assert wait_for(lambda: None if _runs("sleep", "4711") else True, 20), "it is killed when the shim goes on"


def _runs(*argv: str) -> bool:
    return any(process.info["cmdline"] == list(argv) for process in psutil.process_iter(["cmdline"]))


def test_as_json(rig: Rig) -> None:
    done = rig.command("exec", "web", "--json", "--", "sh", "-c", "echo out; echo err >&2; exit 3", check=False)
    assert done.returncode == 3
    assert json.loads(done.stdout) == {"exit_code": 3, "stdout": "out\n", "stderr": "err\n"}


def test_much_output_comes_whole_to_a_slow_reader(rig: Rig) -> None:
    program = "i=0; while [ $i -lt 120000 ]; do echo $i; i=$((i+1)); done"
    with start(rig, "web", "--", "sh", "-c", program, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        time.sleep(1.5)
        lines = process.stdout.read().split()
    assert process.returncode == 0
    assert lines == [str(number).encode() for number in range(120_000)]


def test_input_is_passed_on_to_its_end(rig: Rig) -> None:
    data = os.urandom(3 << 20)
    with start(rig, "web", "-i", "--", "md5sum", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(data, timeout=30)
    expected = subprocess.run(["md5sum"], input=data, capture_output=True, check=True).stdout
    assert (process.returncode, out) == (0, expected)


def test_without_input_there_is_none(rig: Rig) -> None:
    with start(rig, "web", "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(20) == 0


def test_it_runs_within_the_pods_cgroup_and_namespaces(rig: Rig) -> None:
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "pair"]
    before = {pid for pid, _ in rig.processes(pod)}
    with start(rig, "pair", "-c", "left", "--", "sleep", "60") as process:
        assert wait_for(lambda: {pid for pid, _ in rig.processes(pod)} - before or None, 10)
        (pid,) = {pid for pid, _ in rig.processes(pod)} - before
        command = psutil.Process(pid).cmdline
        assert wait_for(lambda: True if command() == ["sleep", "60"] else None, 10), command()  # runc's until then
        assert f"/{pod['pod']}/left" in Path(f"/proc/{pid}/cgroup").read_text()
        first = next(each["pid"] for each in pod["containers"] if each["name"] == "left")
        for name in ("net", "mnt", "pid"):
            assert Path(f"/proc/{pid}/ns/{name}").samefile(f"/proc/{first}/ns/{name}")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert wait_for(lambda: True if {pid for pid, _ in rig.processes(pod)} == before else None, 10)


def test_a_client_that_dies_takes_its_command_along(rig: Rig) -> None:
    (pod,) = [pod for pod in rig.pods() if pod["name"] == "web"]
    before = rig.processes(pod)
    with start(rig, "web", "--", "sh", "-c", "while :; do echo spam; done", stdout=subprocess.DEVNULL) as process:
        assert wait_for(lambda: True if rig.processes(pod) != before else None, 10)
        process.kill()
    assert wait_for(lambda: True if rig.processes(pod) == before else None, 10)


def test_what_it_leaves_behind_does_not_hold_it(rig: Rig) -> None:
    begin = time.monotonic()
    done = rig.command("exec", "web", "--", "sh", "-c", "sleep 8 & echo started")
    assert done.stdout == "started\n"
    assert time.monotonic() - begin < 6


def test_a_terminal_with_its_size(rig: Rig) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 33, 111, 0, 0))
    program = "read line; echo got:$line; stty size; tty; read line; stty size; exit 5"
    with start(rig, "web", "-i", "-t", "--", "sh", "-c", program, stdin=theirs, stdout=theirs) as process:
        os.close(theirs)
        os.write(ours, b"word\r")
        seen = read_until(ours, b"/dev/pts/0")
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 44, 122, 0, 0))
        process.send_signal(signal.SIGWINCH)  # from the kernel only to processes whose controlling terminal it is
        time.sleep(0.5)
        os.write(ours, b"\r")
        seen += read_until(ours, b"44 122")
        assert process.wait(20) == 5
    os.close(ours)
    assert b"got:word\r\n" in seen and b"33 111\r\n" in seen


def read_until(descriptor: int, text: bytes, timeout_s: float = 20) -> bytes:
    seen, deadline_s = b"", time.monotonic() + timeout_s
    os.set_blocking(descriptor, False)
    while text not in seen and time.monotonic() < deadline_s:
        try:
            seen += os.read(descriptor, 4096)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                break
            time.sleep(0.05)
    assert text in seen, seen
    return seen


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["pair", "--", "true"], 2, "name one: left, right"),
        (["pair", "-c", "middle", "--", "true"], 3, "no such container"),
        (["nobody", "--", "true"], 3, "nobody"),
        (["web", "--", "/no/such/program"], 1, "/no/such/program"),
        (["web"], 2, "COMMAND"),
        (["web", "-t", "--", "true"], 2, "needs a terminal"),
    ],
)
def test_what_cannot_be_is_one_clear_line(rig: Rig, arguments: list[str], code: int, words: str) -> None:
    done = rig.command("exec", *arguments, check=False)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr and done.stderr.count("\n") == 1


def test_a_pod_that_ends_takes_its_commands_along(rig: Rig, scheduler: Scheduler) -> None:
    scheduler.launch([rig.pod("short")], rig.executor())
    scheduler.wait_status("short", "TASK_RUNNING", 30)
    with start(rig, "short", "--", "sleep", "600", stdout=subprocess.PIPE) as process:
        (pod,) = [pod for pod in rig.pods() if pod["name"] == "short"]
        assert wait_for(lambda: True if len(rig.processes(pod)) == 3 else None, 10)
        scheduler.kill("short", grace_s=1)
        scheduler.wait_status("short", "TASK_KILLED", 30)
        assert process.wait(20) == 137
    with contextlib.suppress(AssertionError):
        assert rig.command("inspect", "short").returncode == 0


def test_it_is_in_the_journal(rig: Rig, scheduler: Scheduler) -> None:
    """Without its arguments, which may be secrets."""
    rig.command("exec", "web", "--", "echo", "a word")
    lines = rig.command("events", "--code", "pod.exec", "--json").stdout.splitlines()
    event = json.loads(lines[-1])
    assert (event["container"], event["command"]) == ("app", "echo")
    assert "a word" not in json.dumps(rig.journal("mixed", scheduler))


HOSTILE = "printf '\\033]0;title\\007\\033[31mred\\033[0m\\033[6n end\\n'"


def on_terminal(rig: Rig, *arguments: str) -> bytes:
    """What a command of this program prints on a terminal."""
    ours, its = pty.openpty()
    try:
        environment = {**os.environ, **rig.environment()}
        subprocess.run([*rig.program, *arguments], env=environment, stdin=its, stdout=its, stderr=its, check=True)
        os.set_blocking(ours, False)
        return os.read(ours, 1 << 16).replace(b"\r", b"")
    finally:
        os.close(its)
        os.close(ours)


def test_a_terminal_gets_text_only(rig: Rig, scheduler: Scheduler) -> None:
    clean, whole = "\ufffd]0;title\ufffdred\ufffd[6n end\n".encode(), b"\x1b]0;title\x07\x1b[31mred\x1b[0m\x1b[6n end\n"
    assert on_terminal(rig, "exec", "web", "--", "sh", "-c", HOSTILE) == clean
    assert on_terminal(rig, "exec", "--raw", "web", "--", "sh", "-c", HOSTILE) == whole
    assert on_terminal(rig, "exec", "-t", "web", "--", "sh", "-c", HOSTILE) == whole
    assert rig.command("exec", "web", "--", "sh", "-c", HOSTILE).stdout.encode() == whole
    scheduler.launch([rig.pod("coloured", command=("sh", "-c", f"{HOSTILE}; sleep 1000"))], rig.executor())
    scheduler.wait_status("coloured", "TASK_RUNNING", 30)
    assert wait_for(lambda: rig.command("logs", "coloured").stdout or None, 10)
    assert on_terminal(rig, "logs", "coloured") == clean
    assert on_terminal(rig, "logs", "--raw", "coloured") == whole
    assert on_terminal(rig, "logs", "-t", "coloured").endswith(clean)
    scheduler.kill("coloured", grace_s=0)
    scheduler.wait_status("coloured", "TASK_KILLED", 30)
