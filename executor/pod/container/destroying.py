"""Killing what a pod runs, and going on with it until nothing is left and nothing can come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.log import Logger

AGAIN_S = 0.5
"""How often it is killed: a process may be in the kernel (D) when the kill comes, or be moved here after it."""


async def until_dead(
    cgroup: Cgroup,
    under_way: Callable[[], Collection[asyncio.Task[None]]],
    end: Callable[[float], Awaitable[Collection[int]]],
    stuck: Callable[[tuple[int, ...]], None],
    end_starts: Callable[[], None],
    *,
    stuck_after_s: float,
    log: Logger,
) -> None:
    """Returns once no start is `under_way`, no process lives in `cgroup`, and `end` finds none that was moved out of
    it, however long that takes.

    After `stuck_after_s` the survivors are reported once to `stuck`, and looked for in every hierarchy from then on;
    starts that are still under way are ended by `end_starts`.
    """
    loop = asyncio.get_running_loop()
    begin_s = loop.time()
    reported = False
    moved: Collection[int] = ()
    while True:
        starts = under_way()
        empty = await _kill_once(cgroup, everywhere=reported, log=log)
        if starts:
            await asyncio.wait(starts, timeout=AGAIN_S)
        elif empty and not (moved := await end(AGAIN_S)):
            return
        if not reported and loop.time() - begin_s > stuck_after_s:
            reported = True
            pids = tuple(sorted({*_survivors(cgroup), *moved}))
            log.error("the pod does not die", code="pod.stuck", pids=list(pids))
            stuck(pids)
            if starts:
                end_starts()


def _survivors(cgroup: Cgroup) -> tuple[int, ...]:
    try:
        return tuple(sorted(cgroup.pids()))
    except OSError:
        return ()


async def _kill_once(cgroup: Cgroup, *, everywhere: bool, log: Logger) -> bool:
    """Kill once if there is something to kill; whether nothing lives there soon after."""
    try:
        if not cgroup.populated():
            return True
        if everywhere:  # may freeze and wait: not in the event loop, which other pods share
            await asyncio.to_thread(cgroup.kill, everywhere=True)
        else:
            cgroup.kill()
        return await cgroup.wait_unpopulated(AGAIN_S)
    except (OSError, RuntimeError) as error:  # a CgroupError is one; so are descriptors, or threads, that are used up
        log.warning("could not kill the pod's cgroup", code="pod.kill_failed", error=str(error))
        await asyncio.sleep(AGAIN_S)
        return False
