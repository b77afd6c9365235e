"""The pids controller: how many tasks (processes and threads) a subtree may have. The same files in v1 and v2."""

from __future__ import annotations

from dataclasses import dataclass

from cgroups.controller import Home, limit_text, write_present
from cgroups.files import Directory, flat_keyed, number
from cgroups.mounts import Mode


@dataclass(frozen=True, kw_only=True)
class Pids:
    """None leaves the limit as it is, UNLIMITED takes it away."""

    max: int | None = None

    controller = "pids"

    def values(self, _mode: Mode) -> dict[str, str]:
        """File to text, alike in both dialects."""
        return {} if self.max is None else {"pids.max": limit_text(self.max, unlimited="max")}

    def write(self, directory: Directory, mode: Mode) -> list[str]:
        """Applies, and returns the files that this kernel does not have."""
        return write_present(directory, self.values(mode))


@dataclass(frozen=True, kw_only=True)
class PidsStat:
    """Tasks now, the limit (None if there is none), and how often a fork failed at it. Older kernels, such as 6.1,
    count a failed fork in the group of the task that forked, not in that of the limit.
    """

    current: int | None = None
    max: int | None = None
    refused_forks: int | None = None


def stat(pids: Home | None) -> PidsStat:
    """Empty where no pids controller has the group. Raises CgroupError."""
    if pids is None:
        return PidsStat()
    directory, _ = pids
    return PidsStat(
        current=number(directory.read_optional("pids.current")),
        max=number(directory.read_optional("pids.max")),
        refused_forks=flat_keyed(directory.read_optional("pids.events")).get("max"),
    )
