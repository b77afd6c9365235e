"""`ctr run --detach`, without a network and a seccomp filter, on the image of the bare calls."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bench.peers.programs import find, many


class Ctr:
    """Raises NotInstalled."""

    def __init__(self, address: str, namespace: str, image: str, cgroup: str, command: Sequence[str]) -> None:
        self._ctr = [find("ctr"), "--address", address, "--namespace", namespace]
        self._image, self._cgroup, self._command = image, cgroup, tuple(command)

    def up(self, names: Sequence[str]) -> None:
        what = [*self._ctr, "run", "--detach", "--snapshotter", "overlayfs", "--cgroup"]
        many([[*what, f"{self._cgroup}/{name}", self._image, name, *self._command] for name in names])

    def down(self, names: Sequence[str]) -> None:
        many([[*self._ctr, "tasks", "delete", "--force", name] for name in names])
        many([[*self._ctr, "containers", "delete", name] for name in names])
