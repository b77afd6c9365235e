"""What people would use instead, where it is installed: `ctr run`."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 4


class Ctr:
    """`ctr run --detach`, without a network and a seccomp filter, on the image of the bare calls."""

    def __init__(self, address: str, namespace: str, image: str, command: Sequence[str]) -> None:
        self._ctr = ["ctr", "--address", address, "--namespace", namespace]
        self._what = ["run", "--detach", "--snapshotter", "overlayfs", "--cgroup"]
        self._image, self._command = image, tuple(command)

    @staticmethod
    def is_installed() -> bool:
        return shutil.which("ctr") is not None

    def up(self, names: Sequence[str], cgroup: str) -> None:
        _many([[*self._ctr, *self._what, f"{cgroup}/{name}", self._image, name, *self._command] for name in names])

    def down(self, names: Sequence[str]) -> None:
        _many([[*self._ctr, "tasks", "delete", "--force", name] for name in names])
        _many([[*self._ctr, "containers", "delete", name] for name in names])


def _many(commands: Sequence[Sequence[str]]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_run, commands))


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}: {done.stderr}")
