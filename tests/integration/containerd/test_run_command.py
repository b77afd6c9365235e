"""One command in a container that runs: how it ends, what it wrote, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.errors import ContainerdFailure, TimedOut
from executor.exec.late import LATE_MAX, LateStarts
from executor.exec.run import Target, run
from executor.names import ContainerId
from tests.integration.containerd.launching import Launcher, process
from tests.support.containerd import PrivateContainerd

pytestmark = pytest.mark.root


@pytest.fixture
async def target(client: Containerd, launcher: Launcher, tmp_path: Path) -> AsyncIterator[Target]:
    await launcher.run("app", "sleep 1000")
    streams = tmp_path / "streams"
    streams.mkdir()
    yield Target(client.tasks, ContainerId("app"), process(["/bin/sh"]), streams, LateStarts())
    assert not list(streams.iterdir()), "its FIFOs are removed"
    assert len(await client.tasks.pids("app")) == 1, "only the first process is left"


def shell(script: str) -> tuple[str, ...]:
    return ("/bin/sh", "-c", script)


async def test_its_exit_code_and_both_outputs(target: Target) -> None:
    result = await run(target, shell("echo out; echo err >&2; exit 3"), timeout_s=30)
    assert result.exit_code == 3
    assert sorted(result.output.split()) == ["err", "out"]


async def test_the_end_of_a_long_output_is_kept(target: Target) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"
    result = await run(target, shell(script), timeout_s=60, limit_bytes=100)
    assert result.exit_code == 0
    assert len(result.output) == 100 and result.output.endswith("line 19999\n")


async def test_a_command_that_takes_too_long_is_killed(target: Target) -> None:
    with pytest.raises(TimedOut, match=r"app: /bin/sh took longer than 1 s; it wrote: begun"):
        await run(target, shell("echo begun; sleep 1000"), timeout_s=1)


async def test_a_program_that_is_not_there(target: Target) -> None:
    with pytest.raises(ContainerdFailure, match="the program must be in the container's image"):
        await run(target, ("/no/such/program",), timeout_s=30)


async def test_a_caller_that_is_cancelled_leaves_nothing(target: Target) -> None:
    task = asyncio.create_task(run(target, shell("sleep 1000"), timeout_s=None))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_shim_that_hangs_does_not_hold_up_its_caller(target: Target, node: PrivateContainerd) -> None:
    """The time limit bounds the start too. The shim may answer later: then the command is ended at once."""
    (shim,) = node.shims()
    os.kill(shim, signal.SIGSTOP)
    begin_s = time.monotonic()
    try:
        with pytest.raises(TimedOut, match=r"took longer than 0\.5 s"):
            await run(target, ("sleep", "4711"), timeout_s=0.5)
        assert time.monotonic() - begin_s < 2
        assert list(target.streams_dir.iterdir()), "without its FIFOs the command would run on, unknown to its shim"
        late = [run(target, ("sleep", "4711"), timeout_s=0.1) for _ in range(LATE_MAX - 1)]
        assert all(isinstance(each, TimedOut) for each in await asyncio.gather(*late, return_exceptions=True))
        with pytest.raises(TimedOut, match="has not answered 8 commands"):
            await run(target, ("sleep", "4712"), timeout_s=60)
        assert len(list(target.streams_dir.iterdir())) == 2 * LATE_MAX, "no more of them wait for the shim"
    finally:
        os.kill(shim, signal.SIGCONT)
    async with asyncio.timeout(20):
        while list(target.streams_dir.iterdir()):  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.05)
    assert (await run(target, shell("exit 3"), timeout_s=30)).exit_code == 3


async def test_commands_run_beside_each_other(target: Target) -> None:
    results = await asyncio.gather(*(run(target, shell(f"exit {code}"), timeout_s=60) for code in range(4)))
    assert [result.exit_code for result in results] == [0, 1, 2, 3]
