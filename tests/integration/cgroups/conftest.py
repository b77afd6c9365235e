"""Real groups under a name of this test run's own; each test's are emptied and removed after it, which is checked."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path

import pytest

from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from tests.support import cgroupdirs
from tests.support.mesos.cluster import node_cgroup

_numbers = count()

Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(autouse=True)
def _needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def hierarchies() -> Hierarchies:
    return Hierarchies.discover()


@pytest.fixture
def group(hierarchies: Hierarchies) -> Iterator[Cgroup]:
    group = Cgroup(hierarchies, f"{node_cgroup()}/{next(_numbers)}")
    group.ensure()
    yield group
    assert cgroupdirs.sweep(group.path) == []


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts `argv` in groups: the process joins them before it executes anything of `argv`."""
    with ExitStack() as started:

        def start(*argv: str, into: Callable[[int], None]) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(
                ["/bin/sh", "-c", 'read -r _; exec "$@"', "sh", *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            started.callback(_end, process)
            into(process.pid)
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            return process

        yield start


@pytest.fixture
def python(spawn: Spawn) -> Spawn:
    """The same for a piece of Python; returns once it has printed a line."""

    def start(code: str, *, into: Callable[[int], None]) -> subprocess.Popen[bytes]:
        process = spawn(sys.executable, "-I", "-c", code, into=into)
        assert process.stdout is not None
        assert process.stdout.readline()
        return process

    return start


async def eventually(condition: Callable[[], bool], *, within_s: float = 10) -> None:
    """Fails if `condition` does not come true in time."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 what is waited for tells nobody
            await asyncio.sleep(0.005)


def descriptors() -> set[str]:
    """What this process has open, by target."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(f"{path.name}: {path.readlink()}")
    return {each for each in found if "/proc/" not in each}


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    process.wait(10)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
