"""Settings as file contents, for each dialect, and how they are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups.controller import UNLIMITED
from cgroups.cpu import Cpu, shares_of_weight, weight_of_shares
from cgroups.errors import CgroupBusy
from cgroups.files import Directory
from cgroups.limits import Limits
from cgroups.memory import Memory
from cgroups.mounts import Mode
from cgroups.pids import Pids

GIB = 1 << 30


def fake(path: Path, **files: str) -> Directory:
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return Directory.open(path)


def test_nothing_is_written_for_none() -> None:
    assert Limits().values(Mode.V1) == Limits().values(Mode.V2) == {}


def test_v2() -> None:
    limits = Limits(cpu_weight=200, cpu_quota_cores=1.5, memory_max_bytes=GIB, memory_low_bytes=1, pids_max=9)
    assert limits.values(Mode.V2) == {
        "cpu.weight": "200",
        "cpu.max": "150000 100000",
        "memory.max": str(GIB),
        "memory.low": "1",
        "memory.swap.max": "0",
        "pids.max": "9",
    }


@pytest.mark.parametrize("mode", [Mode.V1, Mode.HYBRID])
def test_v1(mode: Mode) -> None:
    limits = Limits(cpu_weight=200, cpu_quota_cores=1.5, memory_max_bytes=GIB, memory_low_bytes=1, pids_max=9)
    assert limits.values(mode) == {
        "cpu.shares": "2048",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "150000",
        "memory.limit_in_bytes": str(GIB),
        "memory.memsw.limit_in_bytes": str(GIB),
        "pids.max": "9",
    }


def test_unlimited() -> None:
    limits = Limits(cpu_quota_cores=UNLIMITED, memory_max_bytes=UNLIMITED, pids_max=UNLIMITED)
    v1, v2 = limits.values(Mode.V1), limits.values(Mode.V2)
    assert (v1["cpu.cfs_quota_us"], v1["memory.limit_in_bytes"], v1["pids.max"]) == ("-1", "-1", "max")
    assert (v2["cpu.max"], v2["memory.max"], v2["memory.swap.max"]) == ("max 100000", "max", "max")


@pytest.mark.parametrize("weight", [0, -1, 10_001])
def test_weights_out_of_range(weight: int) -> None:
    with pytest.raises(ValueError, match="weight"):
        Limits(cpu_weight=weight).controllers()


def test_negative_limits() -> None:
    with pytest.raises(ValueError, match="-5 is no limit"):
        Limits(memory_max_bytes=-5).values(Mode.V2)


def test_the_smallest_quota_is_the_kernels() -> None:
    assert Cpu(quota_cores=0.0001).values(Mode.V1)["cpu.cfs_quota_us"] == "1000"


@given(st.integers(1, 10_000))
def test_weights_survive_a_round_trip_through_shares(weight: int) -> None:
    assert weight_of_shares(shares_of_weight(weight)) == weight
    assert 2 <= shares_of_weight(weight) <= 262_144  # what the kernel takes


@pytest.mark.parametrize(("weight", "shares"), [(1, 10), (100, 1024), (10_000, 102_400)])
def test_weights_as_the_kernel_converts_them(weight: int, shares: int) -> None:
    assert shares_of_weight(weight) == shares


def test_an_idle_group_gets_no_weight(tmp_path: Path) -> None:
    with fake(tmp_path, cpu__idle="0", cpu__shares="1024") as directory:
        assert Cpu(weight=1, idle=True).write(directory, Mode.V1) == []
    assert (tmp_path / "cpu.idle").read_text() == "1"
    assert (tmp_path / "cpu.shares").read_text() == "1024"


def test_without_idle_the_weight_stands_in(tmp_path: Path) -> None:
    with fake(tmp_path, cpu__weight="100") as directory:
        assert Cpu(weight=1, idle=True).write(directory, Mode.V2) == ["cpu.idle"]
    assert (tmp_path / "cpu.weight").read_text() == "1"


def test_v1_says_which_protections_it_lacks(tmp_path: Path) -> None:
    with fake(tmp_path, memory__limit_in_bytes="7", memory__soft_limit_in_bytes="-1") as directory:
        missing = Memory(max_bytes=5, low_bytes=1, min_bytes=1, high_bytes=2).write(directory, Mode.V1)
    assert missing == ["memory.low", "memory.min"]
    assert (tmp_path / "memory.limit_in_bytes").read_text() == "5"
    assert (tmp_path / "memory.soft_limit_in_bytes").read_text() == "2"


def test_missing_swap_accounting_is_nothing_to_report(tmp_path: Path) -> None:
    with fake(tmp_path, memory__max="max") as directory:
        assert Memory(max_bytes=5).write(directory, Mode.V2) == []


def test_on_v2_nobody_is_killed_for_a_lower_limit(tmp_path: Path) -> None:
    """A write of memory.max below what is in use kills, unless that much can be reclaimed before."""
    with fake(tmp_path, memory__max="max\n", memory__current="100\n", memory__reclaim="") as directory:
        with pytest.raises(CgroupBusy, match="100 bytes are in use"):
            Memory(max_bytes=60).write(directory, Mode.V2)
        assert (tmp_path / "memory.reclaim").read_text() == "40"
        assert (tmp_path / "memory.max").read_text() == "max\n"
        Memory(max_bytes=100).write(directory, Mode.V2)
        assert (tmp_path / "memory.max").read_text() == "100"
        Memory(max_bytes=UNLIMITED).write(directory, Mode.V2)
        assert (tmp_path / "memory.max").read_text() == "max"


def test_missing_files_are_reported_and_the_others_written(tmp_path: Path) -> None:
    with fake(tmp_path, cpu__weight="100") as directory:
        assert Cpu(weight=7, quota_cores=1).write(directory, Mode.V2) == ["cpu.max"]
        assert Pids(max=3).write(directory, Mode.V2) == ["pids.max"]
    assert (tmp_path / "cpu.weight").read_text() == "7"
