"""As many processes in as many namespaces as the revoked pods have, without containers: what the kernel alone does."""

from __future__ import annotations

import asyncio
import subprocess
import time

from cgroups import Cgroup, Hierarchies, qos
from tests.bench.bench import bare_kill

_POD = "for n in 1 2 3 4; do sleep 100000 & done; read -r work <&3; while :; do :; done"
_ALL = f"""exec 3<&0; read -r begin
for n in $(seq $1); do unshare --pid --mount --ipc --uts --net --fork sh -c '{_POD}' & done
wait"""
PROCESSES = 6
"""The processes of each: five, and unshare."""


class Plain:
    """In a group of its own, which runs on what nobody else wants of the CPU, as revocable pods do."""

    def __init__(self, path: str, pods: int) -> None:
        self.group = Cgroup(Hierarchies.discover(), path)
        self._pods = pods
        self._parent: subprocess.Popen[str] | None = None

    async def up(self) -> None:
        self._start()
        deadline_s = time.monotonic() + 60
        while len(self.group.pids()) < PROCESSES * self._pods:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the plain processes did not get there in a minute")
            await asyncio.sleep(0.05)

    def _start(self) -> None:
        self.group.ensure()
        self.group.apply(qos.IDLE_CPU)
        arguments = ["sh", "-c", _ALL, "sh", str(self._pods)]
        self._parent = subprocess.Popen(arguments, stdin=subprocess.PIPE, text=True)
        self.group.attach(self._parent.pid)
        assert self._parent.stdin is not None
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()

    def work(self) -> None:
        """One process of each, without a pause."""
        if self._parent is not None and self._parent.stdin is not None:
            self._parent.stdin.close()

    async def kill(self) -> tuple[float, float]:
        """One write to cgroup.kill; when it began, and when all were dead."""
        begin_s = time.monotonic()
        await bare_kill(self.group.path)
        end_s = time.monotonic()
        if self._parent is not None:
            await asyncio.to_thread(self._parent.communicate)
        self.group.destroy()
        return begin_s, end_s
