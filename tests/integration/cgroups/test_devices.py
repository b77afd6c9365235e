"""A device that the kernel opens to nobody in a group, on the machine's own hierarchies, v1 and cgroup2."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies, devices
from tests.integration.cgroups.conftest import Spawn
from tests.support import cgroupdirs

CONSOLE = (5, 1)
OPENED = """
import os, sys
for path in sys.argv[1:]:
    for flag in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.close(os.open(path, flag | os.O_NONBLOCK | os.O_NOCTTY))
            print("opened", flush=True)
        except OSError as error:
            print(error.errno, flush=True)
os.mknod(sys.argv[1] + "-made", 0o20600, os.stat(sys.argv[1]).st_rdev)
print("made", flush=True)
"""
CLOSES = """
import sys
from pathlib import Path
from cgroups import Cgroup, CgroupError, Hierarchies, devices
hierarchies = Hierarchies(unified=Path(sys.argv[1]))
try:
    devices.close(Cgroup(hierarchies, sys.argv[2]), (devices.CONSOLE,))
except CgroupError as error:
    print(error)
print(devices.refusal(hierarchies, (devices.CONSOLE,)))
"""


@pytest.fixture
def console(tmp_path: Path) -> str:
    """A node of it, on a file system where nodes open."""
    path = tmp_path / "console"
    os.mknod(path, 0o20600, os.makedev(*CONSOLE))
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
    except OSError as error:
        pytest.skip(f"this machine's console cannot be opened: {error}")
    return str(path)


@pytest.fixture(params=["v1", "v2"])
def group(request: pytest.FixtureRequest, group: Cgroup) -> Iterator[Cgroup]:
    """In the hierarchy that controls devices."""
    found = group.hierarchies
    point = found.v1.get("devices") if request.param == "v1" else found.unified
    if point is None:
        pytest.skip(f"this machine has no devices of {request.param}")
    yield Cgroup(Hierarchies({"devices": point}) if request.param == "v1" else Hierarchies(unified=point), group.path)
    assert cgroupdirs.sweep(group.path) == []


def found(spawn: Spawn, group: Cgroup, console: str) -> list[str]:
    """What a process of the group is told when it opens the console, to read and to write, and the null device."""
    process = spawn(sys.executable, "-I", "-c", OPENED, console, os.devnull, into=group.attach)
    assert process.stdout is not None
    lines = process.stdout.read().decode().split()
    assert process.wait(10) == 0
    Path(f"{console}-made").unlink()
    return lines


def test_a_closed_device_does_not_open_and_all_others_do(group: Cgroup, spawn: Spawn, console: str) -> None:
    before = found(spawn, group, console)
    assert before == ["opened"] * 4 + ["made"]
    for _ in range(2):  # as where the group of a creation that was cut off is used again
        devices.close(group, (devices.TUN, devices.CONSOLE))
    below, beside = group.child("below"), Cgroup(group.hierarchies, f"{group.path}-beside")
    below.ensure(with_controllers=False)
    assert found(spawn, below, console) == [str(errno.EPERM)] * 2 + ["opened"] * 2 + ["made"]
    assert found(spawn, group, console) == [str(errno.EPERM)] * 2 + ["opened"] * 2 + ["made"]
    beside.ensure(with_controllers=False)
    try:
        assert found(spawn, beside, console) == before
    finally:
        beside.destroy()


@pytest.mark.parametrize("group", ["v2"], indirect=True)
def test_without_the_capability_nothing_is_closed_and_the_error_says_so(
    hierarchies: Hierarchies, group: Cgroup
) -> None:
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    argv = [setpriv, "--bounding-set=-sys_admin,-bpf", sys.executable, "-c", CLOSES, str(hierarchies.unified)]
    done = subprocess.run([*argv, group.path], capture_output=True, text=True, timeout=60, check=True)
    error, refusal = done.stdout.splitlines()
    assert error.startswith(f"{hierarchies.unified}{group.path}: Operation not permitted") and "CAP_SYS_ADMIN" in error
    assert refusal.startswith(f"{hierarchies.unified}: Operation not permitted")
