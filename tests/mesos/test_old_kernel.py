"""An executor on a kernel without the newer system calls: they are taken away from it by a seccomp filter.

Before Linux 5.14 there is no `cgroup.kill` either: one node has no unified hierarchy at all, as many a host of that
age. Each is a whole node in namespaces of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import without_syscalls
from tests.support.sources import ROOT

pytestmark = [pytest.mark.root, pytest.mark.mesos]

INSIDE = Path(__file__).with_name("old_kernel_inside.py")
OLD = {
    "4.18": (without_syscalls.ALL, "umount /sys/fs/cgroup/unified"),
    "without-pidfd-open": ("pidfd_open", "true"),
}


@pytest.mark.parametrize("kernel", OLD)
def test_everything_inside(kernel: str) -> None:
    names, before = OLD[kernel]
    if before != "true" and not Path("/sys/fs/cgroup/unified/cgroup.procs").exists():
        pytest.skip("this host has no hybrid cgroups")
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", str(INSIDE)]
    line = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-ec",
        f'{before}; "$@" || exit 1; exit 0',
        "sh",
        *line,
    ]  # sh reaps orphans
    environment = {**os.environ, "MPE_TEST_WITHOUT": names}
    ran = subprocess.run(line, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout, ran.stdout
