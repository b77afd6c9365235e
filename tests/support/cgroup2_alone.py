"""A program in a mount namespace whose only cgroup hierarchy is this machine's cgroup2.

It is bound there and not mounted again: a mount without its options takes them from the whole machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cgroups import Hierarchies

_ROOT = Path(__file__).parents[2]
_SCRIPT = """
set -e
point=$1 spare=$2
shift 2
mount --bind "$point" "$spare"
umount --lazy /sys/fs/cgroup
mount --bind "$spare" /sys/fs/cgroup
umount "$spare"
exec "$@"
"""


def run(program: Path, *arguments: str, spare: Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """`spare`: an empty directory, which nothing outside the namespace sees a mount on."""
    unified = Hierarchies.discover().unified
    assert unified is not None, "this machine has no cgroup2"
    private = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _SCRIPT, "sh", str(unified), str(spare)]
    return subprocess.run(
        [*private, sys.executable, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
