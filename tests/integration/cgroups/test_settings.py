"""Limits that the kernel takes and keeps, freezing, statistics and pressure, on the machine's own hierarchies."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cgroups.controller import UNLIMITED
from cgroups.errors import CgroupError
from cgroups.group import Cgroup
from cgroups.io import IoMax
from cgroups.limits import Limits
from cgroups.mounts import Hierarchies, Mode
from cgroups.pressure import Resource
from tests.integration.cgroups.conftest import Spawn, eventually

MIB = 1 << 20
SPIN = "print('up',flush=True)\nwhile True: pass"
SETTLE_S = 0.05
"""A process counts as frozen shortly before its CPU gives it up and accounts for its last time slice."""
HOG = "print('up',flush=True)\nblock=bytearray(200<<20)\nimport time; time.sleep(1000)"


def content(group: Cgroup, controller: str, file: str) -> str:
    home = group.hierarchies.home(controller)
    assert home is not None
    return (home[0] / group.path.lstrip("/") / file).read_text().strip()


@pytest.fixture
def v1(hierarchies: Hierarchies) -> Hierarchies:
    if not {"cpu", "memory", "pids", "freezer"} <= hierarchies.v1.keys():
        pytest.skip("needs the v1 controllers")
    return hierarchies


def test_every_setting_of_v1_is_kept(group: Cgroup, v1: Hierarchies) -> None:
    limits = Limits(cpu_weight=50, cpu_quota_cores=0.5, memory_max_bytes=64 * MIB, memory_low_bytes=MIB, pids_max=9)
    assert group.apply(limits) == ["memory.low"]
    assert content(group, "cpu", "cpu.shares") == "512"
    assert content(group, "cpu", "cpu.cfs_quota_us") == "50000"
    assert content(group, "memory", "memory.limit_in_bytes") == str(64 * MIB)
    assert (group.stat().memory_max_bytes, group.stat().pids_max) == (64 * MIB, 9)
    group.apply(Limits(cpu_quota_cores=UNLIMITED, memory_max_bytes=UNLIMITED, pids_max=UNLIMITED))
    assert (group.stat().memory_max_bytes, group.stat().pids_max) == (None, None)
    assert content(group, "cpu", "cpu.cfs_quota_us") == "-1"


@pytest.mark.parametrize("sizes", [(64, 128, 32), (32, 32, 64), (128, -1, 64)])
def test_a_memory_limit_rises_and_falls(sizes: tuple[int, ...], group: Cgroup, v1: Hierarchies) -> None:
    for mib in sizes:
        group.apply(Limits(memory_max_bytes=mib * MIB if mib > 0 else UNLIMITED))
        assert group.stat().memory_max_bytes == (mib * MIB if mib > 0 else None)
        swap = content(group, "memory", "memory.memsw.limit_in_bytes")
        assert mib < 0 or swap == str(mib * MIB)


def test_disks_and_cpus(group: Cgroup, hierarchies: Hierarchies) -> None:
    """The kernel takes what is written, in each dialect; of the limit on a disk it must know the disk."""
    home, cpus = hierarchies.home("io"), hierarchies.home("cpuset")
    if home is None or cpus is None:
        pytest.skip("needs the controllers io and cpuset")
    missing = group.apply(Limits(io_weight=1, cpus={0}))
    assert set(missing) <= {"io.weight", "io.bfq.weight", "blkio.bfq.weight", "blkio.weight"}
    assert group.effective_cpus() == frozenset({0})
    assert content(group, "cpuset", "cpuset.cpus") == "0"
    if not missing:
        file = "io.weight" if home[1] is Mode.V2 else "blkio.bfq.weight"
        assert content(group, "io", file).split()[-1] == "1"
    if disks := sorted(Path("/sys/block").glob("*/dev")):
        disk = disks[0].read_text().strip()
        group.apply(Limits(io_max={disk: IoMax(rbps=1 << 20)}))
        file, value = ("io.max", "rbps=1048576 wbps=max riops=max wiops=max") if home[1] is Mode.V2 else (
            "blkio.throttle.read_bps_device", "1048576",
        )  # fmt: skip
        assert content(group, "io", file) == f"{disk} {value}"
        group.apply(Limits(io_max={disk: IoMax()}))
        assert content(group, "io", file) == ""
    with pytest.raises(CgroupError):
        group.apply(Limits(io_max={"4095:7": IoMax(rbps=1)}))


def test_idle_and_back(group: Cgroup, v1: Hierarchies) -> None:
    missing = group.apply(Limits(cpu_idle=True, cpu_weight=1))
    if missing:
        assert missing == ["cpu.idle"]
        assert content(group, "cpu", "cpu.shares") == "10"
        return
    assert content(group, "cpu", "cpu.idle") == "1"
    group.apply(Limits(cpu_idle=True, cpu_weight=1))
    group.apply(Limits(cpu_idle=False, cpu_weight=200))
    assert (content(group, "cpu", "cpu.idle"), content(group, "cpu", "cpu.shares")) == ("0", "2048")


def test_a_refused_value_names_file_and_value(group: Cgroup, v1: Hierarchies) -> None:
    group.apply(Limits(cpu_quota_cores=0.5))
    child = group.child("greedy")
    child.ensure()
    with pytest.raises(CgroupError, match=r"greedy/cpu.cfs_quota_us: Invalid argument \(writing '90000'\)"):
        child.apply(Limits(cpu_quota_cores=0.9))


async def test_an_oom_is_counted_where_the_victim_was(group: Cgroup, v1: Hierarchies, python: Spawn) -> None:
    hog, innocent = group.child("hog"), group.child("innocent")
    for child in (hog, innocent):
        child.ensure()
    group.apply(Limits(memory_max_bytes=64 * MIB))
    spared = python("print('up',flush=True)\nimport time; time.sleep(1000)", into=innocent.attach)
    victim = python(HOG, into=hog.attach)
    assert victim.wait(20) == -9
    assert spared.poll() is None
    assert (hog.stat().oom_kills_local, innocent.stat().oom_kills_local) == (1, 0)
    assert (group.stat().oom_kills_local, group.stat().oom_kills) == (0, 1)


def test_usage_is_that_of_the_subtree(group: Cgroup, python: Spawn) -> None:
    leaf = group.child("leaf")
    leaf.ensure()
    python(SPIN, into=leaf.attach)
    before = group.stat()
    time.sleep(0.3)
    after = group.stat()
    assert before.cpu_usage_usec is not None and after.cpu_usage_usec is not None
    assert after.cpu_usage_usec - before.cpu_usage_usec > 30_000
    if after.pids is not None:
        assert after.pids == 1
    if after.memory_bytes is not None:
        assert after.memory_working_set_bytes is not None
        assert 0 < after.memory_working_set_bytes <= after.memory_bytes


def test_a_throttled_group_says_so(group: Cgroup, v1: Hierarchies, python: Spawn) -> None:
    group.apply(Limits(cpu_quota_cores=0.1))
    python(SPIN, into=group.attach)
    time.sleep(0.5)
    stat = group.stat()
    assert stat.throttled_usec and stat.throttled_usec > 10_000
    assert stat.throttled_periods and stat.periods and stat.throttled_periods <= stat.periods


def test_a_fork_at_the_limit_is_counted(group: Cgroup, v1: Hierarchies, python: Spawn) -> None:
    group.apply(Limits(pids_max=1))
    python("import os\ntry: os.fork()\nexcept OSError: print('no',flush=True)", into=group.attach)
    assert group.stat().refused_forks == 1


@pytest.mark.parametrize("which", ["all", "v1"])
async def test_frozen_processes_stand_still(which: str, group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    view = group if which == "all" else Cgroup(Hierarchies(hierarchies.v1), group.path)
    if which == "v1" and "freezer" not in hierarchies.v1:
        pytest.skip("needs the v1 freezer")
    leaf = group.child("leaf")
    leaf.ensure()
    python(SPIN, into=leaf.attach)
    assert view.freeze()
    assert view.is_frozen() and Cgroup(view.hierarchies, leaf.path).is_frozen()
    await asyncio.sleep(SETTLE_S)
    stands = group.stat().cpu_usage_usec
    await asyncio.sleep(0.2)
    assert group.stat().cpu_usage_usec == stands
    view.thaw()
    assert not view.is_frozen()
    assert stands is not None
    await eventually(lambda: (group.stat().cpu_usage_usec or 0) > stands + 10_000)


def test_freezing_reaches_a_process_that_only_v1_has(group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if hierarchies.mode is not Mode.HYBRID:
        pytest.skip("needs v1 hierarchies and a cgroup2 beside them")
    only_v1 = Cgroup(Hierarchies(hierarchies.v1), group.path)
    python(SPIN, into=only_v1.attach)
    assert group.freeze()
    time.sleep(SETTLE_S)
    stands = group.stat().cpu_usage_usec
    time.sleep(0.2)
    assert group.stat().cpu_usage_usec == stands
    group.thaw()
    assert not only_v1.is_frozen()


def test_pressure_is_kept_per_group(group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if hierarchies.unified is None or not Path("/proc/pressure/cpu").exists():
        pytest.skip("needs cgroup2 and PSI")
    quiet, busy = group.child("quiet"), group.child("busy")
    quiet.ensure()
    busy.ensure()
    for _ in range(6):
        python(SPIN, into=busy.attach)
    time.sleep(0.5)
    pressed, calm = busy.pressure(Resource.CPU), quiet.pressure(Resource.CPU)
    assert pressed is not None and calm is not None
    assert pressed.some.total_usec > 0
    assert calm.some.total_usec == 0
    assert busy.child("none").pressure(Resource.CPU) is None
