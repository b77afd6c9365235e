"""The private node against a real kernel: what a command sees inside, and that nothing of it stays outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import cgroupdirs

pytestmark = pytest.mark.root

_CHECKOUT = Path(__file__).resolve().parents[3]
_CGROUP = "root=/sys/fs/cgroup/freezer; [ -d $root ] || root=/sys/fs/cgroup; own=$root$MPE_TEST_CGROUP; mkdir -p $own"
_FREEZE = f"""
{_CGROUP}; mkdir -p $own/a/b
sleep 1000 & echo $! > $own/cgroup.procs
if [ -f $own/freezer.state ]; then echo FROZEN > $own/freezer.state; else echo 1 > $own/cgroup.freeze; fi
"""


class Nodes:
    """Starts nodes in a directory of this test's own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[str]] = []

    def start(self, script: str, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.support.node", *options, "--", "sh", "-c", script]
        environment = os.environ | {"TMPDIR": str(self.directory)}
        process = subprocess.Popen(command, cwd=_CHECKOUT, env=environment, text=True, stdout=subprocess.PIPE)
        self._started.append(process)
        return process

    def output(self, script: str) -> str:
        process = self.start(script)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        return output

    def close(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate(timeout=30)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    nodes = Nodes(tmp_path)
    yield nodes
    nodes.close()
    assert not list((tmp_path / "mpe-nodes").iterdir())


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def _running(marker: str) -> bool:
    return any(marker.encode() in _environ(path) for path in Path("/proc").glob("[0-9]*/environ"))


def _environ(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_inside_are_only_its_own_network_processes_and_state(nodes: Nodes) -> None:
    script = "ip -o link show up; echo; ls -d /proc/[0-9]*; echo; ls /run; echo; touch /var/lib/left; echo $TMPDIR; pwd"
    links, processes, run, last = nodes.output(script).split("\n\n")
    assert [line.split(": ")[1] for line in links.splitlines()] == ["lo"]
    assert len(processes.splitlines()) == 2  # process 1 and the shell, whose pattern is this
    assert run.split() == ["lock", "netns"]
    assert last.splitlines()[0].startswith(str(nodes.directory / "mpe-nodes"))
    assert not Path("/var/lib/left").exists()


def test_the_host_s_cgroups_are_seen_and_the_node_s_own_are_removed(nodes: Nodes) -> None:
    mounts = [str(path) for path in cgroupdirs.mount_points(Path("/proc/self/mountinfo").read_text())]
    make = f"for mount in {' '.join(mounts)}; do mkdir -p $mount$MPE_TEST_CGROUP; ls -d $mount$MPE_TEST_CGROUP; done"
    made = nodes.output(make).split()
    assert len(made) == len(mounts)
    assert not [path for path in made if Path(path).exists()]


@pytest.mark.parametrize("script", ["exit 3", "kill -USR1 $$"])
def test_the_exit_status_passes_through(nodes: Nodes, script: str) -> None:
    expected = {"exit 3": 3, "kill -USR1 $$": -signal.SIGUSR1}
    assert nodes.start(script).wait(30) == expected[script]


def test_an_unknown_command_is_127_as_in_a_shell(nodes: Nodes) -> None:
    command = [sys.executable, "-m", "tests.support.node", "--", "/nonexistent/program"]
    environment = os.environ | {"TMPDIR": str(nodes.directory)}
    ended = subprocess.run(command, cwd=_CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 127
    assert "/nonexistent/program" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_command_which_may_end_in_its_own_way(nodes: Nodes, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    if signal.getsignal(number) is signal.SIG_IGN:  # as below nohup: a shell cannot trap it then
        signal.signal(number, signal.SIG_DFL)
    process = nodes.start(f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.05; done")
    assert _first_line(process) == "ready"
    process.send_signal(number)
    assert process.wait(30) == 9


def test_what_ignores_the_signal_is_killed_after_the_grace_even_when_frozen(nodes: Nodes) -> None:
    process = nodes.start(
        f"{_FREEZE} trap '' TERM; echo $MPE_TEST_CGROUP; while :; do sleep 0.05; done", "--grace", "0.3"
    )
    cgroup = _first_line(process)
    assert cgroupdirs.below(cgroup)
    process.terminate()
    assert process.wait(30) == -signal.SIGKILL
    assert not cgroupdirs.below(cgroup)


def test_after_sigkill_all_inside_dies_and_the_next_start_removes_the_rest(nodes: Nodes) -> None:
    process = nodes.start(
        f"export MARK={nodes.directory}/mark; {_FREEZE} sh -c 'sleep 1000' & echo $MPE_TEST_CGROUP; sleep 1000"
    )
    cgroup = _first_line(process)
    process.kill()
    process.wait(30)
    frozen = cgroupdirs.pids(cgroup)
    assert cgroupdirs.below(cgroup)
    assert nodes.start("true").wait(30) == 0
    assert not cgroupdirs.below(cgroup)
    assert len(frozen) <= 1
    assert _eventually(lambda: not _running(f"MARK={nodes.directory}/mark"))


def test_a_living_node_is_not_swept_by_another(nodes: Nodes) -> None:
    first = nodes.start(f"{_CGROUP}; touch $TMPDIR/kept; echo $MPE_TEST_CGROUP; exec sleep 1000")
    cgroup = _first_line(first)
    assert nodes.start("true").wait(30) == 0
    assert cgroupdirs.below(cgroup)
    assert list(nodes.directory.glob("mpe-nodes/*/tmp/kept"))
    first.terminate()
    assert first.wait(30) == -signal.SIGTERM


def test_a_node_inside_a_node_keeps_below_the_outer_one(nodes: Nodes) -> None:
    script = f"'{_CGROUP}; echo $MPE_TEST_CGROUP'"
    inner = f"{sys.executable} -m tests.support.node -- sh -c {script}"
    outer_name, inner_name = nodes.output(f"echo $MPE_TEST_CGROUP; {inner}").split()
    assert inner_name.startswith(f"{outer_name}/")
    assert not cgroupdirs.below(outer_name)
