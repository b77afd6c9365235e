"""One victim's account: what it held, whether it was notified, when it ended, and what its cgroup said then.

What is measured before the kill delays it, so that is one file a pod; the rest is read after its end, while the
cgroup is still there: usage of CPU is a sum over its life, and memory that is charged to it still was not given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.revocation.receipt import Outcome, Victim

if TYPE_CHECKING:
    from executor.revocation.pod import Pod

STINT_S, PAUSE_S = 0.0005, 0.001
"""While 50 victims' files were read without a pause, a process of a regular pod waited for up to 4 ms: their common
group had used more CPU than its share, for those that died.
"""

LAST_MOMENTS_S = 0.1
"""A first process that still ends after this time has a parent that does not wait for it: its pod has not ended, and
its life cycle goes on.
"""


class Account:
    def __init__(self, pod: Pod) -> None:
        self.pod = pod
        self.notified = False
        self.ended_ms: float | None = None
        """Since the request; None: it lives."""
        self._had_bytes = pod.measure()
        self._left_bytes = 0
        self._used_cpus = 0.0

    @property
    def alive(self) -> bool:
        """Whether the pod has not ended."""
        return self.ended_ms is None

    def close(self, ms: float) -> None:
        """Nothing of it lives and nothing can come. The first call counts."""
        if self.ended_ms is not None:
            return
        self.ended_ms = ms
        cgroup = self.pod.cgroup
        with contextlib.suppress(CgroupError):
            self._left_bytes = cgroup.memory_bytes() or 0
            age_s = max(1e-3, self.pod.age_s)
            self._used_cpus = (cgroup.cpu_usage_usec() or 0) / 1e6 / age_s

    def victim(self, living: Outcome, ms: float) -> Victim:
        """`living` is the outcome of one that lives, `ms` the time since the request."""
        pod = self.pod
        if self.ended_ms is not None:
            living = Outcome.EXITED if pod.ended_by_itself else Outcome.KILLED
        return Victim(
            pod.id,
            pod.spec.task_ids,
            living,
            ms if self.ended_ms is None else self.ended_ms,
            notified=self.notified,
            cpus=pod.spec.resources.cpus,
            used_cpus=self._used_cpus,
            mem_bytes=max(0, self._had_bytes - self._left_bytes),
            mem_kept_bytes=self._left_bytes,
            pids=self._pids() if living is Outcome.STUCK else (),
        )

    def _pids(self) -> tuple[int, ...]:
        with contextlib.suppress(CgroupError):
            return tuple(sorted(self.pod.cgroup.pids() or self.pod.living_first_pids()))
        return ()


async def last_moments(pods: Iterable[Pod]) -> None:
    """Until none of their first processes is between leaving its cgroup and its end, LAST_MOMENTS_S at most."""
    deadline = time.monotonic() + LAST_MOMENTS_S
    while time.monotonic() < deadline and (pods := [each for each in pods if each.is_in_last_moments()]):  # noqa: ASYNC110 there is no event
        await asyncio.sleep(PAUSE_S)


async def close_ended(accounts: Iterable[Account], has_ended: Callable[[Pod], bool], ms: Callable[[], float]) -> None:
    """Closes those that live by their account and have ended, with pauses. Raises CgroupError."""
    begin_s = time.monotonic()
    for account in accounts:
        if account.alive and has_ended(account.pod):
            account.close(ms())
        if time.monotonic() - begin_s > STINT_S:
            await asyncio.sleep(PAUSE_S)
            begin_s = time.monotonic()
