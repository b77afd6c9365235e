"""PSI triggers on the machine's own kernel: told of stalls, quiet without them, and no trouble when a group goes."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from cgroups.errors import CgroupError, CgroupNotFound
from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from cgroups.pressure import Resource
from cgroups.stall import WINDOW_USEC, StallWatch
from tests.integration.cgroups.conftest import Spawn, descriptors

CPUS = os.cpu_count() or 1
STALL_USEC = WINDOW_USEC // 10


@pytest.fixture
def unified(hierarchies: Hierarchies) -> Hierarchies:
    if hierarchies.unified is None or not Path("/proc/pressure/cpu").exists():
        pytest.skip("needs PSI and a unified hierarchy")
    return hierarchies


async def test_a_stall_is_told_at_most_once_a_window(group: Cgroup, unified: Hierarchies, spawn: Spawn) -> None:
    loop, told = asyncio.get_running_loop(), []
    with StallWatch(lambda: told.append(loop.time())) as watch:
        watch.add(group, Resource.CPU, STALL_USEC)
        await asyncio.sleep(0.5)
        assert told == []
        for _ in range(2 * CPUS + 1):
            spawn("/bin/sh", "-c", "while :; do :; done", into=group.attach)
        await asyncio.sleep(5.5)
    assert 1 <= len(told) <= 4
    await asyncio.sleep(2.5)
    assert len(told) <= 4, "told after it was closed"


async def test_a_group_that_goes_takes_its_trigger_along(group: Cgroup, unified: Hierarchies) -> None:
    child, told = group.child("gone"), []
    child.ensure()
    with StallWatch(lambda: told.append(1)) as watch:
        watch.add(child, Resource.CPU, STALL_USEC)
        watch.add(group, Resource.MEMORY, STALL_USEC, full=True)
        assert len(watch) == 2
        child.destroy()
        await asyncio.sleep(0.3)
        assert len(watch) == 1
    assert len(told) == 1, "a group that is gone must not be reported for ever"


async def test_nothing_is_left_open(group: Cgroup, unified: Hierarchies) -> None:
    before = descriptors()
    with StallWatch(lambda: None) as watch:
        watch.add(group, Resource.CPU, STALL_USEC)
        watch.add(None, Resource.MEMORY, STALL_USEC)
        with pytest.raises(CgroupError) as caught:
            watch.add(group, Resource.CPU, WINDOW_USEC + 1)
        assert caught.value.errno == errno.EINVAL and f"some {WINDOW_USEC + 1}" in str(caught.value)
        with pytest.raises(CgroupNotFound):
            watch.add(group.child("none"), Resource.CPU, STALL_USEC)
    watch.close()
    assert descriptors() == before


async def test_without_a_unified_hierarchy_it_says_so(group: Cgroup) -> None:
    v1 = Cgroup(Hierarchies(group.hierarchies.v1, None), group.path)
    with StallWatch(lambda: None) as watch, pytest.raises(CgroupNotFound, match="no PSI of groups"):
        watch.add(v1, Resource.CPU, STALL_USEC)
