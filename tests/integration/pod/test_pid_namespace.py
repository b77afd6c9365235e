"""The PID namespace of a pod: what keeps it in being, what ends it, and what a container finds in its process 1."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from executor.errors import Failure
from executor.pod.container.pid_namespace import GROUP, PidNamespace
from tests.support import cgroupdirs
from tests.support.mesos.cluster import node_cgroup

pytestmark = pytest.mark.root

_numbers = count()
LOOK = """
for path in ("root/pod-pids", "exe", "mem"):
    try:
        open(f"/proc/1/{path}", "r+b")
    except OSError as error:
        print(path, error.strerror)
    else:
        print(path, "opened")
"""


@pytest.fixture
async def group() -> AsyncIterator[Cgroup]:
    group = Cgroup(Hierarchies.discover(), f"{node_cgroup()}-pids-{next(_numbers)}")
    group.ensure()
    yield group
    assert not cgroupdirs.sweep(group.path)


@pytest.fixture
async def pids(group: Cgroup) -> AsyncIterator[PidNamespace]:
    made = PidNamespace(group)
    yield made
    await made.close()


def inside(path: Path, *command: str) -> str:
    """What a command prints as a process of the namespace, with a /proc of its own."""
    line = ["nsenter", f"--pid={path}", "unshare", "--mount", "--mount-proc", *command]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout + done.stderr


async def test_process_1_is_the_keeper_and_reaps_orphans(pids: PidNamespace, group: Cgroup) -> None:
    path = await pids.ensure()
    assert await pids.ensure() == path
    listed = inside(path, "sh", "-c", "cat /proc/1/comm; sh -c 'true & exec sleep 0.2' & wait; sleep 0.2; ps -eo stat=")
    assert listed.split()[0] == "pod-pids"
    assert not [state for state in listed.split()[1:] if state.startswith("Z")]
    assert group.child(GROUP).pids() == {int(path.parts[2])}


class Keeper:
    """What the node sees of it."""

    def __init__(self, namespace: Path) -> None:
        self.path = Path(*namespace.parts[:3])

    def status(self) -> dict[str, str]:
        lines = (self.path / "status").read_text().splitlines()
        return {name: value.strip() for name, value in (line.split(":", 1) for line in lines)}

    def names(self, directory: str) -> list[str]:
        return [path.name for path in (self.path / directory).iterdir()]

    def shares(self) -> list[str]:
        """Its namespaces that are the node's."""
        kinds = ("mnt", "net", "ipc", "uts", "cgroup", "pid")
        return [
            kind for kind in kinds if (self.path / "ns" / kind).readlink() == Path(f"/proc/self/ns/{kind}").readlink()
        ]


def sleeper(namespace: Path) -> subprocess.Popen[bytes]:
    """A process of the namespace that has begun to sleep."""
    line = ["nsenter", f"--pid={namespace}", "sh", "-c", "echo; exec sleep 100"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"\n"
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """It is stopped afterwards: the signal alone may come later than what the test does next."""
    process.send_signal(signal.SIGSTOP)
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)


async def test_it_costs_next_to_nothing(pids: PidNamespace) -> None:
    begun_s = time.monotonic()
    keeper = Keeper(await pids.ensure())
    assert time.monotonic() - begun_s < 2
    status = keeper.status()
    assert int(status["VmRSS"].split()[0]) < 200
    assert (status["CapPrm"], status["Uid"].split()[0]) == ("0" * 16, "65534")


async def test_nothing_of_the_node_is_behind_process_1(pids: PidNamespace) -> None:
    keeper = Keeper(await pids.ensure())
    assert keeper.shares() == []
    assert keeper.names("root") == keeper.names("root/..") == ["pod-pids"]
    assert keeper.names("fd") == []


@pytest.mark.parametrize("user", ["0", "65534"])
async def test_a_container_cannot_look_into_it(pids: PidNamespace, user: str) -> None:
    """Neither as the same user nor as root without CAP_SYS_PTRACE."""
    path = await pids.ensure()
    drop = ["setpriv", f"--reuid={user}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    found = inside(path, *drop, "python3", "-c", LOOK).splitlines()
    assert found == ["root/pod-pids Permission denied", "exe Permission denied", "mem Permission denied"]


async def test_a_kill_of_the_pod_ends_all_and_the_next_use_makes_another(pids: PidNamespace, group: Cgroup) -> None:
    first = await pids.ensure()
    process = sleeper(first)
    group.kill()
    assert await group.wait_unpopulated(5)
    process.communicate(timeout=5)
    assert process.returncode in (-9, 137)
    assert await pids.ensure() != first
    await pids.close()
    await pids.close()
    assert not group.populated()


async def test_a_namespace_that_is_ending_is_not_used(pids: PidNamespace, group: Cgroup) -> None:
    """The parent of one of its processes is stopped: the keeper has left its group, and cannot be reaped yet."""
    first = await pids.ensure()
    process = sleeper(first)
    stop(process)
    group.kill()
    assert await group.wait_unpopulated(5)
    other = asyncio.create_task(pids.ensure())
    await asyncio.sleep(0.1)
    assert not other.done()
    process.send_signal(signal.SIGCONT)
    assert await other != first
    process.communicate(timeout=5)


async def test_a_keeper_that_does_not_end_is_told_and_tried_again(pids: PidNamespace, group: Cgroup) -> None:
    """The parent of one of its processes is stopped, and does not take note of that process's end."""
    process = sleeper(await pids.ensure())
    stop(process)
    group.kill()
    with pytest.raises(Failure, match="does not end") as caught:
        await pids.close()
    assert caught.value.subject == "the pod's PID namespace"
    process.send_signal(signal.SIGCONT)
    await pids.close()
    process.communicate(timeout=5)


async def test_a_keeper_that_cannot_start_is_a_failure_that_says_why(
    group: Cgroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    pids = PidNamespace(group)
    with pytest.raises(Failure, match="its first process ended") as caught:
        await pids.ensure()
    assert "CAP_SYS_ADMIN" in caught.value.hint
