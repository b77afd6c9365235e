"""What systemd-oomd reads from a v2 group, and what it leaves there.

It ends whole groups when memory is short, of those below a unit with ManagedOOMMemoryPressure=kill or
ManagedOOMSwap=kill: leaves, and groups with `memory.oom.group`. It reads extended attributes of a candidate, which
count on groups that root owns (ManagedOOMPreference= in systemd.resource-control(5), systemd's src/oom/oomd-util.c).
None says that a group is to be ended first: that is one without a mark beside others that have one.
"""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from typing import TYPE_CHECKING

from cgroups.errors import CgroupError
from cgroups.files import Directory
from cgroups.mounts import Mode

if TYPE_CHECKING:
    from cgroups.group import Cgroup

_KILLS = "user.oomd_ooms"
"""Written before it sends the signals; `user.oomd_kill` comes after them."""


class Mark(StrEnum):
    AVOID = "user.oomd_avoid"
    """Only where no candidate is left that has no mark."""
    OMIT = "user.oomd_omit"
    """Never."""


def mark(group: Cgroup, mark: Mark) -> None:
    """On v2, which systemd-oomd needs. A kernel before 5.7 keeps no such attribute: then nothing is marked."""
    if group.hierarchies.mode is not Mode.V2 or group.hierarchies.unified is None:
        return
    with contextlib.suppress(CgroupError, OSError), Directory.open(group.hierarchies.unified, group.path) as directory:
        os.setxattr(directory.fd, mark, b"1")


def has_killed(group: Cgroup) -> bool:
    """Whether systemd-oomd has chosen this very group since it was made; False for one that is gone."""
    if group.hierarchies.unified is None:
        return False
    try:
        with Directory.open(group.hierarchies.unified, group.path) as directory:
            return os.getxattr(directory.fd, _KILLS).strip(b"0\n ") != b""
    except (CgroupError, OSError):
        return False
