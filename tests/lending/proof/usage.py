"""The CPU time that Spark, regular and revocable pods use, sampled from the agents' cgroups, which this only reads."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CPUACCT: Final = Path("/sys/fs/cgroup/cpuacct")
INTERVAL_S: Final = 0.1
KINDS: Final = ("owner", "regular", "revocable", "executors")
STAT: Final = Path("/proc/stat")
TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """CPU seconds of each kind since the sampler began, over all agents. `at_s` is CLOCK_BOOTTIME."""

    at_s: float
    used_s: tuple[float, ...]
    machine_s: float
    """What all processes of the machine used: others use it too."""


class Sampler:
    """Samples these agents' cgroups, while in its `with` block."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = [CPUACCT / root.strip("/") for root in roots]
        self._last: dict[Path, int] = {}
        self._used = dict.fromkeys(KINDS, 0.0)
        self.samples: list[Sample] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(INTERVAL_S):
            for root in self._roots:
                for container in root.iterdir():
                    if container.is_dir():
                        self._container(container)
            self.samples.append(Sample(boot_s(), tuple(self._used[kind] for kind in KINDS), machine_s()))

    def _container(self, container: Path) -> None:
        """A pod executor's has a subtree for each class; any other one is the owner's."""
        pods = next(container.glob("**/pods"), None)
        whole = self._since(container)
        if pods is None:
            self._used["owner"] += whole
            return
        regular, revocable = (self._since(pods / kind) for kind in ("regular", "revocable"))
        self._used["regular"] += regular
        self._used["revocable"] += revocable
        self._used["executors"] += max(0.0, whole - regular - revocable)

    def _since(self, group: Path) -> float:
        """CPU seconds since the last look at this group; 0 of one that is gone."""
        with contextlib.suppress(OSError):
            now = int((group / "cpuacct.usage").read_text())
            before = self._last.get(group, 0)
            self._last[group] = now
            return max(0, now - before) / 1e9
        return 0.0


def machine_s() -> float:
    """CPU seconds of the machine since its start, without those in which it was idle (proc_stat(5))."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, STAT.read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / TICKS


def boot_s() -> float:
    """The clock that processes' start times are of."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
