"""packaging/demo in a terminal, interrupted at some moment: one line says so, and nothing of it is left on the node."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cgroupdirs
from tests.support.rig import IMAGE, wait_for
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.mesos]

UP = "up: containerd"
RUNNING = "one executor runs"
LENT = "borrow one cpu each"


def read_until(terminal: int, text: str | None) -> str:
    """What came until the text was there; None: until the end."""
    output = b""
    while text is None or text.encode() not in output:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            data = b""
        if not data:
            break
        output += data
    return output.decode(errors="replace")


@pytest.fixture
def directory() -> Iterator[Path]:
    """With a short name: sockets of the node in it, which is one inside of another, must have paths below 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="mpe-", dir="/tmp") as name:
        yield Path(name)


def cgroups() -> set[Path]:
    """Below this node's own; that one is made when it is needed."""
    own = os.environ["MPE_TEST_CGROUP"]
    return set(cgroupdirs.below(own)) - set(cgroupdirs.roots(own))


def marked(mark: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(("moment", "times"), [(UP, 1), (RUNNING, 3), (LENT, 1)])
def test_ctrl_c_leaves_nothing(directory: Path, moment: str, times: int) -> None:
    mounts, cgroups_before = Path("/proc/self/mountinfo").read_text(), cgroups()
    mark = {"TMPDIR": str(directory)}
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve("packaging/demo", ["packaging/demo"], os.environ | mark)
    assert moment in (told := read_until(terminal, moment)), told
    assert marked(str(directory))
    for _ in range(times):
        os.write(terminal, b"\x03")
    told = read_until(terminal, None)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGINT
    last = told.replace("^C", "").strip().splitlines()
    assert last[-1] == "packaging/demo: interrupted; whatever it had started is gone"
    assert "Traceback" not in told
    assert wait_for(lambda: None if marked(str(directory)) else True, 5), marked(str(directory))
    assert list(directory.glob("mpe-nodes/*")) == []
    assert cgroups() == cgroups_before
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert subprocess.run(["ip", "netns", "list"], capture_output=True, check=True).stdout == b""


POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "own"},
    "spec": {"containers": [{"name": "c", "image": IMAGE, "command": ["sleep", "100"]}]},
}
ENDS = {
    **POD,
    "metadata": {"name": "ends"},
    "spec": {
        "restartPolicy": "Never",
        "containers": [{"name": "c", "image": IMAGE, "command": ["sh", "-c", "echo $((6 * 7)) is the answer"]}],
    },
}
APP = {"name": "c", "image": IMAGE, "resources": {"limits": {"cpu": "1000", "memory": "64Mi"}}}
LARGE = {**POD, "metadata": {"name": "large"}, "spec": {"containers": [APP]}}
TAKEN = {**POD, "metadata": {"name": "web-0"}}
TYPED = (
    "mesos-pod-executor revoke --all --id by-hand", "mesos-pod-executor doctor --quiet",
    "mesos-pod-executor doctor | grep agent.providers", "incident preempted",
    "launch {pod} --revocable", "incident end", "launch {large}", "launch {taken}",
    "mesos-pod-executor run {ends} --master $MASTER",
    "mesos-pod-executor executor-info", "mesos-pod-executor check-config | grep policy.roles", "exit 0",
)  # fmt: skip


def test_a_shell_on_the_node(directory: Path) -> None:
    """What README.md names is there at its prompt, a browser outside sees the node, and all is gone with it."""
    files = {"pod": POD, "ends": ENDS, "large": LARGE, "taken": TAKEN}
    for name, document in files.items():
        (directory / f"{name}.json").write_text(json.dumps(document))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        line = ["packaging/demo", "--shell", "--regular", "1", "--revocable", "1"]
        os.execve(line[0], line, os.environ | {"TMPDIR": str(directory), "TERM": "dumb"})
    told = read_until(terminal, "demo:")
    assert "demo:" in told, told
    (address,) = re.findall(r"of this machine: http://(127.0.0.1:\d+)/", told)
    page = http.client.HTTPConnection(address, timeout=10)
    page.request("GET", "/")
    assert b"Pods on" in page.getresponse().read()
    page.close()
    typed = "; ".join(TYPED).format(**{name: directory / f"{name}.json" for name in files})
    os.write(terminal, typed.encode() + b"\r")
    told = read_until(terminal, None)
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert (os.waitstatus_to_exitcode(status), "FAULT" in told) == (0, False), told
    assert "1 of this executor, unchanged" in told and "this node: " in told
    assert "agent.providers: resource providers are subscribed" in told
    assert "mesos-pod-executor why preempted-1" in told and "report -o" in told
    assert "42 is the answer" in told
    assert re.search(r'"value": "\S+/bin/mesos-pod-executor"', told) and "/usr/bin/mesos-pod-executor" not in told
    assert re.search(
        r"launch: nothing fits: the pods ask for cpus 1000, mem 64, and cpus [\d.]+, .* is free\r?\n", told
    )
    assert "launch: a pod named web-0 runs already: give this one another metadata.name" in told
    assert 'policy.roles = {"infra" = "privileged", "guests" = "restricted"}' in told
    assert "allocation_info" not in told
    assert "own: TASK_RUNNING" in told and "own: TASK_KILLED" in told and "preempted-1: " not in told
    assert wait_for(lambda: None if marked(str(directory)) else True, 5), marked(str(directory))
