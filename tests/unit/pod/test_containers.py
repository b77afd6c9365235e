"""The containers of a pod: what containerd is asked for, what a creation that is cut off leaves, and how they end.

Their first processes are real. containerd knows no container (tests/support/empty_containerd.py).
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest

from executor.containerd.api import tasks_pb2
from executor.errors import ContainerdFailure
from executor.images.model import NODE_ROOT
from executor.names import ContainerId, PodId
from executor.pod.container.containers import Containers
from executor.pod.sandbox import Sandbox
from executor.spec.model import PodSpec
from executor.spec.security_model import Security
from tests.support.empty_containerd import Calls, empty_containerd
from tests.unit.pod.lives import spec
from tests.unit.pod.nodes import opened

POD = PodId("pod-1")
RECORDED = ["Leases/Create", "Snapshots/Prepare", "Containers/Create"]
MADE = {"Tasks/Create", "Leases/Delete"}
"""After that, both at the same time."""
UNDONE = {"Tasks/Delete", "Containers/Delete", "Snapshots/Remove", "Leases/Delete"}


def web() -> PodSpec:
    """One container that runs with the node's files, which needs no image."""
    made = spec()
    one = replace(
        made.containers[0], image=NODE_ROOT, command=("sleep", "1000"), security=Security(run_as_user=0, run_as_group=0)
    )
    return replace(made, containers=(one,), host_network=True, hostname="web")


@dataclass
class Place:
    containers: Containers
    calls: Calls
    processes: list[subprocess.Popen[bytes]]

    def first_process(self, _: bytes) -> bytes:
        """containerd's answer to a creation."""
        self.processes.append(subprocess.Popen(["sleep", "1000"]))
        return bytes(tasks_pb2.CreateTaskResponse(pid=self.processes[-1].pid).SerializeToString())

    def asked(self) -> list[str]:
        """What containerd was asked for since the last look."""
        seen, self.calls.seen[:] = list(self.calls.seen), []
        return seen


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    (tmp_path / "sandbox").mkdir()
    async with AsyncExitStack() as stack:
        calls = await stack.enter_async_context(empty_containerd(tmp_path / "c.sock"))
        node = await opened(tmp_path, stack)
        await stack.enter_async_context(node.outputs)
        sandbox = Sandbox(node, POD, web())
        await sandbox.prepare()
        made = Place(Containers(node, POD, web(), sandbox), calls, [])
        calls.replies["Tasks/Create"] = made.first_process
        made.asked()
        yield made
        await made.containers.remove_all()
        for process in made.processes:
            process.kill()
            process.wait()


async def test_a_container_is_made_started_signalled_and_removed(place: Place) -> None:
    containers = place.containers
    await containers.create("app", run=3)
    asked = place.asked()
    assert asked[:3] == RECORDED and set(asked[3:]) == MADE and len(asked) == 5
    assert (containers.pid("app"), containers.snapshot("app")) == (place.processes[0].pid, "pod-1-app-1")
    assert not containers.started() and not containers.lives("app"), "its process waits"
    run = await containers.start("app")
    assert place.asked() == ["Tasks/Start"] and (run.run, run.start_known) == (3, True)
    assert containers.started() == [containers.id("app")] and containers.lives("app")
    assert containers.name(containers.id("app")) == "app" and containers.name(ContainerId("pod-1-web")) is None
    assert not containers.send("other", signal.SIGTERM)
    assert containers.send("app", signal.SIGTERM)
    assert place.processes[0].wait(10) == -signal.SIGTERM
    assert not containers.lives("app") and not containers.send("app", signal.SIGTERM)
    assert await containers.remove("app") == []
    assert UNDONE - {"Leases/Delete"} <= set(place.asked())
    assert containers.run_of("app") is None


@pytest.mark.parametrize("made", [True, False])
async def test_a_creation_begins_beside_the_sandbox_and_waits_for_it(place: Place, *, made: bool) -> None:
    sandbox: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    creation = asyncio.create_task(place.containers.create("app", sandbox=sandbox))
    async with asyncio.timeout(10):
        while place.calls.seen != RECORDED[:2]:  # noqa: ASYNC110 nothing tells
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.05)
    assert place.asked() == RECORDED[:2]
    if made:
        sandbox.set_result(None)
        await creation
        assert set(place.asked()) == {RECORDED[2], *MADE}
    else:
        sandbox.cancel()
        await asyncio.wait({creation}, timeout=10)
        assert creation.cancelled() and place.asked() == ["Leases/Delete"]


async def test_a_creation_that_is_cut_off_is_undone_and_made_again(place: Place) -> None:
    """A bundle that a killed containerd left is in the way of the next try: then the container gets another id."""
    killed, in_the_way = (grpc.StatusCode.UNAVAILABLE, "killed"), (grpc.StatusCode.UNKNOWN, "mkdir /x: file exists")
    place.calls.faults["Tasks/Create"] = [killed, in_the_way]
    await place.containers.create("app")
    asked = place.asked()
    begun = [number for number, call in enumerate(asked) if call == "Leases/Create"]
    tries = [asked[first:end] for first, end in itertools.pairwise([*begun, len(asked)])]
    assert [each[:3] for each in tries] == [RECORDED] * 3
    assert all(set(each[3:]) == MADE | UNDONE for each in tries[:2]) and set(tries[2][3:]) == MADE
    assert place.containers.name(ContainerId("pod-1-app")) is None, "it is used no more"
    assert place.containers.name(place.containers.id("app")) == "app"
    assert place.containers.snapshot("app") == f"{place.containers.id('app')}-3"


async def test_what_containerd_refuses_is_not_tried_again(place: Place) -> None:
    place.calls.faults["Containers/Create"] = [(grpc.StatusCode.INVALID_ARGUMENT, "no such option")]
    with pytest.raises(ContainerdFailure, match="no such option"):
        await place.containers.create("app")
    assert place.asked() == ["Leases/Create", "Snapshots/Prepare", "Containers/Create", "Leases/Delete"]
    assert place.containers.run_of("app") is None and await place.containers.remove_all() == []


async def test_a_container_that_cannot_be_removed_is_not_made_again(place: Place) -> None:
    await place.containers.create("app")
    place.calls.failing["Snapshots/Remove"] = grpc.StatusCode.FAILED_PRECONDITION
    place.calls.failing["Containers/Delete"] = grpc.StatusCode.FAILED_PRECONDITION
    place.asked()
    with pytest.raises(ContainerdFailure, match="could not be removed before its restart") as caught:
        await place.containers.renew("app", 2, 1.0)
    assert caught.value.subject == "container app" and "Tasks/Create" not in place.asked()
    place.calls.failing.clear()
    await place.containers.renew("app", 2)
    assert place.containers.snapshot("app") == "pod-1-app-2"


async def test_an_end_reaches_the_first_processes_wherever_they_are(place: Place) -> None:
    """They may have been moved out of the pod's cgroup."""
    await place.containers.create("app")
    assert place.containers.living_first_pids() == [place.processes[0].pid]
    await place.containers.kill("app", run=2)
    assert place.processes[0].poll() is None, "that run is not there"
    assert await place.containers.end(10) == [] and place.processes[0].wait(10) == -signal.SIGKILL
