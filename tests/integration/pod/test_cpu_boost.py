"""Weights of real groups while somebody waits for an end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from itertools import count

import pytest

from cgroups import Cgroup, Hierarchies, Limits, qos
from executor.node.shims import Shims
from executor.pod.resources.cpu_boost import CpuBoost
from tests.support import cgroupdirs

ASKED = qos.SHIMS_CPU.cpu_weight
"""The weight of all executors' shims while one of them asks."""
pytestmark = pytest.mark.root

_numbers = count()


@pytest.fixture
def parent() -> Iterator[Cgroup]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    group = Cgroup(Hierarchies.discover(), f"/mpe-urgency-{os.getpid()}-{next(_numbers)}")
    group.ensure()
    yield group
    assert cgroupdirs.sweep(group.path) == []


def make(parent: Cgroup, name: str, limits: Limits) -> Cgroup:
    group = parent.child(name)
    group.ensure()
    group.apply(limits)
    return group


def weights(*groups: Cgroup) -> list[int | None]:
    return [group.cpu_weight() for group in groups]


async def test_whoever_waits_long_gets_as_much_as_the_regular_pods(parent: Cgroup) -> None:
    regular = make(parent, "regular", Limits(cpu_weight=300))
    lent, other = (make(parent, name, qos.IDLE_CPU) for name in ("revocable", "shims"))
    least = weights(lent)
    boost = CpuBoost(lent, regular)
    with boost.after(60.0):
        await asyncio.sleep(0.01)
        assert weights(lent) == least, "not yet"
    with boost.after(0.0):
        await asyncio.sleep(0.05)
        assert weights(lent, other) == [300, *least], "the one that is waited for"
        with boost.after(0.0):
            await asyncio.sleep(0.05)
        assert weights(lent) == [300], "one of two still waits"
    assert weights(lent) == least


async def test_a_group_that_is_gone_ends_nothing(parent: Cgroup) -> None:
    gone = parent.child("gone")
    lent = make(parent, "revocable", qos.IDLE_CPU)
    with CpuBoost(gone, gone).after(0.0), CpuBoost(lent, gone).after(0.0):
        await asyncio.sleep(0.05)
        assert weights(lent) == [100], "the default where nobody knows what the regular pods have"


async def test_the_shims_of_all_executors_weigh_little_until_one_executor_asks(parent: Cgroup) -> None:
    regular = make(parent, "regular", Limits(cpu_weight=300))
    all_shims = parent.child("shims")
    one, other = (Shims(parent.hierarchies, f"{all_shims.path}/{name}") for name in ("one", "other"))
    assert one.ensure() and other.ensure()
    least = weights(all_shims)
    assert least < [ASKED]
    with CpuBoost(one, regular).after(0.0):
        with CpuBoost(other, regular).after(0.0):
            await asyncio.sleep(0.05)
            assert weights(all_shims, one.group, other.group) == [ASKED, 300, 300]
        assert weights(all_shims, one.group, other.group) == [ASKED, 300, *least], "one of two still asks"
    assert weights(all_shims, one.group, other.group) == least * 3


async def test_shims_are_started_with_the_weight_that_was_asked_for_before_their_group_was_made(parent: Cgroup) -> None:
    """The first launch of an executor asks for it first."""
    shims = Shims(parent.hierarchies, f"{parent.path}/shims/one")
    with CpuBoost(shims, parent.child("none")).after(0.0):
        await asyncio.sleep(0.05)
        assert shims.ensure()
        assert weights(shims.group, parent.child("shims")) == [100, ASKED]
    assert weights(shims.group, parent.child("shims")) < [100, ASKED]
    with CpuBoost(shims, parent.child("none")).after(0.0):
        await asyncio.sleep(0.05)
        shims.group.destroy()
    assert shims.ensure() and weights(shims.group) < [100], "nobody asks any more"


async def test_shims_of_an_executor_that_is_gone_hold_up_nobody(parent: Cgroup) -> None:
    one, other = (Shims(parent.hierarchies, f"{parent.path}/shims/{name}") for name in ("one", "other"))
    assert one.ensure() and other.ensure()
    await one.remove()
    assert other.group.exists()
    assert one.ensure(), "the next one starts anew"
    await one.remove()
    await other.remove()
    assert parent.children() == []


async def test_what_an_executor_asked_for_goes_with_it(parent: Cgroup) -> None:
    """It was killed while it asked, and somebody else removes what it left."""
    dead, other = (Shims(parent.hierarchies, f"{parent.path}/shims/{name}") for name in ("dead", "other"))
    assert dead.ensure() and other.ensure()
    least = weights(other.group)
    dead.apply(Limits(cpu_idle=False, cpu_weight=100))
    assert weights(parent.child("shims")) == [ASKED]
    await dead.remove()
    assert weights(parent.child("shims")) == least
