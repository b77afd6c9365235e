"""The log writer with writers that hold their FIFO as containerd's shim does: on a disk that hangs, and at its end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor import log as logs
from executor.log import get_logger
from executor.names import ContainerId
from executor.output.outputs import Outputs
from executor.own_directory import OwnDirectory
from tests.support.hung_fs import HungFs

pytestmark = pytest.mark.root

LIMIT_BYTES = 1 << 20
FLOOD_BYTES = 4 << 20
"""Much more than all buffers on the way."""


@pytest.fixture
async def outputs(tmp_path: Path) -> AsyncIterator[Outputs]:
    async with Outputs(tmp_path / "streams", max_bytes=LIMIT_BYTES, files=2) as opened:
        yield opened


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    remove = logs.add_sink(lambda record: seen.append(dict(record)))
    yield seen
    remove()


@contextmanager
def container(outputs: Outputs, name: str, log: Path, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell whose output is one stream, by both ends of the FIFO in one process that lives as long as it."""
    with outputs.opened(
        ContainerId(name), OwnDirectory.at(str(log.parent)), {"stdout": log.name}, get_logger("test")
    ) as fifos:
        both = os.open(fifos["stdout"], os.O_RDWR)
    try:
        process = subprocess.Popen(["sh", "-c", command], stdout=both)
    finally:
        os.close(both)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 # of other processes
            await asyncio.sleep(0.01)


async def ended(process: subprocess.Popen[bytes]) -> None:
    await until(lambda: process.poll() is not None)


def stopped(process: psutil.Process) -> bool:
    """Every thread of it."""
    states = [path.read_bytes().rpartition(b") ")[2][:1] for path in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    return set(states) == {b"T"}


def flood(size_bytes: int = FLOOD_BYTES) -> str:
    return f"yes | head -c {size_bytes}"


async def test_a_disk_that_hangs_holds_up_its_own_file_only(
    outputs: Outputs, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    with HungFs(tmp_path / "hung") as hung:
        stuck = [
            container(outputs, f"stuck-{number}", hung.directory / f"log-{number}", flood()) for number in range(4)
        ]
        well = tmp_path / "well"
        with stuck[0] as first, stuck[1] as second, stuck[2] as third, stuck[3] as fourth:
            begin_s = time.monotonic()
            with container(outputs, "well", well, f"{flood(100_000)}; echo end") as other:
                await ended(other)
                assert await outputs.written([ContainerId("well")], 10)
            for process in (first, second, third, fourth):
                await ended(process)
            took_s = time.monotonic() - begin_s
            assert await outputs.written([ContainerId(f"stuck-{number}") for number in range(4)], 10)
        assert well.read_bytes() == b"y\n" * 50_000 + b"end\n"
        assert took_s < 10, "they wait for about a second, then their output is dropped"
    dropped = [each for each in told if each.get("code") == "pod.log_dropped"]
    assert {each["error"] for each in dropped} == {"the disk does not answer"}
    assert sum(each["size_bytes"] for each in dropped) == 4 * FLOOD_BYTES


async def test_a_disk_that_answers_again_gets_what_comes_then(
    outputs: Outputs, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    """The directory is there again once the file system that hangs has gone."""
    directory = tmp_path / "hung"
    script = "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.01; done"
    hung = HungFs(directory)
    with hung:
        writing = container(outputs, "web", directory / "log", script)
        with writing:
            await until(lambda: "pod.log_dropped" in {each.get("code") for each in told})
            hung.__exit__(None, None, None)
            log = directory / "log"
            await until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 20)
        lines = (directory / "log").read_text().splitlines()
    first = int(lines[0].split()[1])
    assert first > 10 and lines[:20] == [f"line {number}" for number in range(first, first + 20)]


async def test_what_nobody_opened_is_closed_and_used_again(outputs: Outputs, tmp_path: Path) -> None:
    """Ten times as often as there is room for, were a failed start to keep its place."""
    for number in range(200):
        with (
            pytest.raises(RuntimeError),
            outputs.opened(ContainerId("x"), OwnDirectory.at(str(tmp_path)), {"stdout": "x"}, get_logger("test")),
        ):
            raise RuntimeError
        if number % 50 == 0:
            await outputs.close(ContainerId("x"), 5)
    assert await outputs.written([ContainerId("x")], 10)
    assert list((tmp_path / "streams").iterdir()) == []
    assert psutil.Process().num_fds() < 100


async def test_the_directory_of_streams_is_made_again(outputs: Outputs, tmp_path: Path) -> None:
    """As after a cleaner of temporary files."""
    (tmp_path / "streams").rmdir()
    with container(outputs, "web", tmp_path / "log", "echo one") as process:
        await ended(process)
        await until(lambda: (tmp_path / "log").exists() and (tmp_path / "log").read_text().endswith("one\n"))


async def test_a_stream_whose_writer_stays_is_read_to_its_present_end(outputs: Outputs, tmp_path: Path) -> None:
    """As of a container whose process has moved out of its cgroup and lives on."""
    with container(outputs, "web", tmp_path / "log", f"{flood(300_000)}; echo end; sleep 1000"):
        await asyncio.sleep(0.5)
        begin_s = time.monotonic()
        assert not await outputs.written([ContainerId("web")], 0.2)
        await outputs.close(ContainerId("web"), 10)
        assert time.monotonic() - begin_s < 5
    assert (tmp_path / "log").read_bytes() == b"y\n" * 150_000 + b"end\n"


async def test_the_writers_end_waits_for_what_is_on_its_way(tmp_path: Path) -> None:
    async with Outputs(tmp_path / "streams", max_bytes=0, files=0) as outputs:
        with container(outputs, "web", tmp_path / "log", f"{flood(1 << 20)}; echo end") as process:
            await ended(process)
    assert (tmp_path / "log").read_bytes() == b"y\n" * (1 << 19) + b"end\n"
    assert not (tmp_path / "streams").exists()


def content(path: Path) -> bytes:
    """Nothing of a file that is not there yet."""
    return path.read_bytes() if path.exists() else b""


async def test_a_new_writer_goes_on_with_any_number_of_streams(
    outputs: Outputs, told: list[dict[str, Any]], tmp_path: Path
) -> None:
    """More than its socket has room for at once, with what was written meanwhile."""
    directory = OwnDirectory.at(str(tmp_path))
    await until(lambda: psutil.Process().children())
    with ExitStack() as stack:
        both = []
        for number in range(400):
            fifos = stack.enter_context(
                outputs.opened(ContainerId(f"c{number}"), directory, {"out": f"c{number}"}, get_logger("test"))
            )
            both.append(os.open(fifos["out"], os.O_RDWR))
            stack.callback(os.close, both[-1])
        (old,) = (each for each in psutil.Process().children() if each.name() == "mpe-log-writer")
        old.suspend()
        await until(lambda: stopped(old))
        for each in both:
            os.write(each, b"one\n")
        await until(lambda: not old.is_running())
        for each in both:
            os.write(each, b"two\n")
        await until(lambda: all(content(tmp_path / f"c{number}") == b"one\ntwo\n" for number in range(400)))
    (replaced,) = (each for each in told if each["code"] == "executor.log_writer_replaced")
    assert replaced["size_bytes"] == 0
