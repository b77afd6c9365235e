"""Waiting for the end of all processes: told by the kernel, cancelled without a trace."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cgroups.errors import CgroupNotFound
from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from cgroups.watch import Change, Watch
from tests.integration.cgroups.conftest import Spawn, descriptors, eventually


@pytest.fixture(params=["all", "v1"])
def view(request: pytest.FixtureRequest, group: Cgroup, hierarchies: Hierarchies) -> Cgroup:
    if request.param == "v1" and not hierarchies.v1:
        pytest.skip("needs v1 hierarchies")
    return Cgroup(hierarchies if request.param == "all" else Hierarchies(hierarchies.v1), group.path)


async def test_it_ends_with_the_last_process(view: Cgroup, spawn: Spawn) -> None:
    processes = [spawn("sleep", "1000", into=view.attach) for _ in range(3)]
    waiting = asyncio.create_task(view.wait_unpopulated(10))
    for process in processes:
        await asyncio.sleep(0.02)
        assert not waiting.done()
        process.kill()
    assert await waiting
    assert not view.populated()


async def test_it_ends_soon_after_the_last_process(view: Cgroup, spawn: Spawn) -> None:
    process = spawn("sleep", "1000", into=view.attach)
    waiting = asyncio.create_task(view.wait_unpopulated(10))
    await asyncio.sleep(0.1)
    begin = time.monotonic()
    process.kill()
    assert await waiting
    assert time.monotonic() - begin < 1


async def test_a_timeout_is_false_and_leaves_no_descriptor(view: Cgroup, spawn: Spawn) -> None:
    spawn("sleep", "1000", into=view.attach)
    before = descriptors()
    assert not await view.wait_unpopulated(0.05)
    assert descriptors() == before


async def test_a_cancelled_wait_leaves_no_descriptor(view: Cgroup, spawn: Spawn) -> None:
    spawn("sleep", "1000", into=view.attach)
    before = descriptors()
    waiting = [asyncio.create_task(view.wait_unpopulated(10)) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert len(descriptors()) > len(before)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert all(task.cancelled() for task in waiting)
    assert descriptors() == before


async def test_waiting_costs_no_cpu(view: Cgroup, spawn: Spawn) -> None:
    spawn("sleep", "1000", into=view.attach)
    begin = time.process_time()
    assert not await view.wait_unpopulated(1)
    assert time.process_time() - begin < 0.05


async def test_an_empty_and_a_missing_group_are_unpopulated(view: Cgroup) -> None:
    assert await view.wait_unpopulated(0)
    assert await view.child("none").wait_unpopulated(0)
    assert not view.child("none").populated()


async def test_no_time_at_all(view: Cgroup, spawn: Spawn) -> None:
    spawn("sleep", "1000", into=view.attach)
    assert not await view.wait_unpopulated(0)


async def test_a_group_that_is_removed_ends_the_wait(view: Cgroup, group: Cgroup, spawn: Spawn) -> None:
    leaf = Cgroup(view.hierarchies, f"{view.path}/leaf")
    group.child("leaf").ensure()
    process = spawn("sleep", "1000", into=group.child("leaf").attach)
    waiting = asyncio.create_task(leaf.wait_unpopulated(10))
    await asyncio.sleep(0.02)
    process.kill()
    process.wait(5)
    group.child("leaf").destroy()
    assert await waiting


async def test_a_process_that_only_v1_has_is_waited_for(group: Cgroup, hierarchies: Hierarchies, spawn: Spawn) -> None:
    if not hierarchies.v1:
        pytest.skip("needs v1 hierarchies")
    process = spawn("sleep", "1000", into=Cgroup(Hierarchies(hierarchies.v1), group.path).attach)
    waiting = asyncio.create_task(group.wait_unpopulated(10))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    process.kill()
    assert await waiting


async def test_a_watch_reports_which_group_changed(group: Cgroup, hierarchies: Hierarchies, spawn: Spawn) -> None:
    if hierarchies.unified is None:
        pytest.skip("needs cgroup2")
    one, other = group.child("one"), group.child("other")
    before = descriptors()
    with Watch() as watch:
        for child in (one, other):
            child.ensure()
            watch.add(child)
        spawn("sleep", "1000", into=other.attach)
        async with asyncio.timeout(5):
            changes = aiter(watch)
            assert await anext(changes) == Change(other.path, "cgroup.events")
        watch.remove(other)
        other.kill()
        await eventually(lambda: not other.populated())
        spawn("sleep", "1000", into=one.attach)
        async with asyncio.timeout(5):
            assert await anext(changes) == Change(one.path, "cgroup.events")
    assert [change async for change in changes] == []
    assert descriptors() - before <= {each for each in descriptors() if "pipe:" in each}


async def test_a_watch_of_nothing(group: Cgroup, hierarchies: Hierarchies) -> None:
    with Watch() as watch, pytest.raises(CgroupNotFound):
        watch.add(group.child("none"))
    with Watch() as watch, pytest.raises(CgroupNotFound, match="no unified hierarchy"):
        watch.add(Cgroup(Hierarchies(hierarchies.v1), group.path))


async def test_a_linked_file_is_not_watched_at_its_target(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "target").write_text("")
    (tmp_path / "a/cgroup.events").symlink_to(tmp_path / "target")
    with Watch() as watch:
        watch.add(Cgroup(Hierarchies(unified=tmp_path), "/a"))
        (tmp_path / "target").write_text("populated 1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await anext(aiter(watch))
