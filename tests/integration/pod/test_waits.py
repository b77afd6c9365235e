"""What the executor asks of the processes of containers on its event loop, while one of them executes its program.

The event loop stood still for 4 s, and a revocation with it. A pod decides how long: it may close a file meanwhile, and
the file system does not answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cgroups import process_status
from cgroups.held import HeldProcess
from executor.names import PodId
from executor.node import shim_processes
from executor.node.shim_processes import Shim
from executor.pod.container import stop_signal
from executor.pod.exits import process_state
from executor.revocation import proof
from tests.support.executing import DEVICE, executing

pytestmark = [pytest.mark.root, pytest.mark.skipif(not DEVICE.exists(), reason="this machine has no FUSE")]

POD = PodId("pod-1")
LIMIT_S = 5.0


@pytest.fixture(scope="module")
def pid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with executing(tmp_path_factory.mktemp("fuse")) as pid:
        yield pid


def held(pid: int) -> bool:
    process = HeldProcess.open(pid)
    assert process is not None
    with process:
        return process.has_ended()


ASKED: dict[str, Callable[[int], object]] = {
    "its status": process_status.read,
    "its identity": process_status.identity,
    "whether it has ended": held,
    "whether it dies": process_state.is_dying,
    "its shim": lambda pid: shim_processes.of_process(pid, "mesos"),
    "every shim of the node": lambda _: shim_processes.running("mesos"),
    "what its shim runs": lambda pid: Shim(os.getpid(), 0, "mesos", "c").children(),
    "the processes of its group": stop_signal._others_of_group,
    "its pod": lambda pid: proof.owners_of({POD: [pid]}, {}).owner(pid),
    "the pod of a child": lambda pid: proof.owners_of({POD: [os.getpid()]}, {}).owner(pid),
    "the processes of its pod": lambda pid: proof.photograph(POD, [pid], [pid]),
}


@pytest.mark.parametrize("asked", ASKED)
def test_no_question_waits_for_it(pid: int, asked: str) -> None:
    threads = ThreadPoolExecutor(1)
    try:
        threads.submit(ASKED[asked], pid).result(LIMIT_S)
    finally:
        threads.shutdown(wait=False)


def test_it_still_executes(pid: int) -> None:
    """Else the others show nothing."""
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    status = process_status.read(pid)
    assert status is not None and not process_status.is_ending(status)
