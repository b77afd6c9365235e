"""CPU for what ends: dying processes need some, or they keep the memory that their successors wait for.

The revocable class and the shims of its pods run on idle CPU (`qos.LENT_CPU`), so that they disturb no
regular pod. On a node whose CPUs are all in use that is next to nothing: 250 processes took 6 s to die there, and the
shims would take minutes to clean up after them. Where an end takes longer than on a node with some idle time, its
caller asks for urgency, and for as long as one does that group weighs as much as the regular pods together.

Only the group that is waited for: shims do not hasten an end, and while their weight was raised as well, a
process of a regular pod at times waited for 35 ms, for 50 of them had much to catch up with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cgroups import CgroupError, CgroupNotFound, Limits, qos
from cgroups.cpu import WEIGHT_DEFAULT
from executor.log import get_logger

if TYPE_CHECKING:
    from cgroups import Cgroup

log = get_logger(__name__)

SOON_S = 0.2
"""250 processes die within 0.06 s where there is CPU for it: what takes longer than this to die is given some."""
LATE_S = 1.0
"""The removal of a pod's containers takes some 50 ms; one that takes this long is short of CPU, or waits for a disk."""


class IdleGroup(Protocol):
    """What has only idle CPU."""

    @property
    def path(self) -> str:
        """Within its hierarchy, absolute."""

    def apply(self, limits: Limits) -> object:
        """Raises CgroupError."""


class CpuBoost:
    """`group` weighs as much as `regular` while a caller is within `after`, or `WEIGHT_DEFAULT` if that is more."""

    def __init__(self, group: IdleGroup, regular: Cgroup) -> None:
        self._group = group
        self._regular = regular
        self._asking = 0

    @contextmanager
    def after(self, delay_s: float) -> Iterator[None]:
        """Urgent from `delay_s` on, unless the block has ended by then."""
        asked = False

        def ask() -> None:
            nonlocal asked
            asked = True
            self._asking += 1
            if self._asking == 1:
                self._apply(Limits(cpu_idle=False, cpu_weight=self._weight()))

        timer = asyncio.get_running_loop().call_later(delay_s, ask)
        try:
            yield
        finally:
            timer.cancel()
            if asked:
                self._asking -= 1
                if self._asking == 0:
                    self._apply(qos.IDLE_CPU)

    def _weight(self) -> int:
        try:
            return max(WEIGHT_DEFAULT, self._regular.cpu_weight() or 0)
        except CgroupError:
            return WEIGHT_DEFAULT

    def _apply(self, limits: Limits) -> None:
        group = self._group
        try:
            group.apply(limits)
        except CgroupNotFound:  # the group is empty
            return
        except CgroupError as error:  # what ends goes on, only slower
            log.warning("could not change a weight", code="cgroup.refused", cgroup=group.path, error=str(error))
