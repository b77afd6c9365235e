"""Weights and limits of disks, as each dialect has them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups.disks import disk_of
from cgroups.errors import CgroupError
from cgroups.files import Directory
from cgroups.io import Io, IoMax, oci
from cgroups.mounts import Mode

RATES = st.none() | st.integers(1, 1 << 40)
LIMITS = st.dictionaries(
    st.tuples(st.integers(0, 999), st.integers(0, 999)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    st.builds(IoMax, RATES, RATES, RATES, RATES),
    max_size=3,
)


def v1_limits(files: dict[str, str]) -> dict[str, IoMax]:
    """What the files of v1 say, read as the kernel reads them: 0 is no limit."""
    names = {"read_bps": "rbps", "write_bps": "wbps", "read_iops": "riops", "write_iops": "wiops"}
    found: dict[str, dict[str, int | None]] = {}
    for file, text in files.items():
        name = names[file.removeprefix("blkio.throttle.").removesuffix("_device")]
        for line in text.splitlines():
            device, rate = line.split()
            found.setdefault(device, {})[name] = int(rate) or None
    return {device: IoMax(**rates) for device, rates in found.items()}


def v2_limits(text: str) -> dict[str, IoMax]:
    found = {}
    for device, *words in map(str.split, text.splitlines()):
        rates = dict(word.split("=") for word in words)
        found[device] = IoMax(**{name: None if rate == "max" else int(rate) for name, rate in rates.items()})
    return found


def oci_limits(document: dict[str, list[dict[str, int]]]) -> dict[str, IoMax]:
    names = {"ReadBps": "rbps", "WriteBps": "wbps", "ReadIOPS": "riops", "WriteIOPS": "wiops"}
    found: dict[str, dict[str, int]] = {}
    for key, items in document.items():
        for each in items:
            name = names[key.removeprefix("throttle").removesuffix("Device")]
            found.setdefault(f"{each['major']}:{each['minor']}", {})[name] = each["rate"]
    return {device: IoMax(**rates) for device, rates in found.items()}


@given(LIMITS)
def test_a_limit_means_the_same_in_every_dialect(limits: dict[str, IoMax]) -> None:
    v1, v2 = Io(max=limits).values(Mode.HYBRID), Io(max=limits).values(Mode.V2)
    assert v1_limits(v1) == v2_limits(v2.get("io.max", "")) == limits
    assert v1 == Io(max=limits).values(Mode.V1)
    assert oci_limits(oci(limits)) == {device: limit for device, limit in limits.items() if limit != IoMax()}


@pytest.mark.parametrize(("mode", "file"), [(Mode.V1, "blkio.bfq.weight"), (Mode.V2, "io.bfq.weight")])
def test_one_of_the_files_of_a_weight_suffices(tmp_path: Path, mode: Mode, file: str) -> None:
    (tmp_path / file).write_text("100")
    with Directory.open(tmp_path) as directory:
        assert Io(weight=1).write(directory, mode) == []
    assert (tmp_path / file).read_text() == "1"


def test_what_is_missing_is_reported(tmp_path: Path) -> None:
    with Directory.open(tmp_path) as directory:
        assert Io(weight=1).write(directory, Mode.V2) == ["io.weight", "io.bfq.weight"]
        assert Io(max={"8:0": IoMax(rbps=1)}).write(directory, Mode.V2) == ["io.max"]


def test_the_least_weight_of_an_old_kernel(tmp_path: Path) -> None:
    (tmp_path / "blkio.weight").write_text("500")
    with Directory.open(tmp_path) as directory:
        Io(weight=1).write(directory, Mode.V1)
    assert (tmp_path / "blkio.weight").read_text() == "10"


def test_each_disk_is_a_write_of_its_own(tmp_path: Path) -> None:
    """As the kernel takes them: a FIFO keeps the writes apart."""
    os.mkfifo(tmp_path / "io.max")
    reading = os.open(tmp_path / "io.max", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with Directory.open(tmp_path) as directory:
            Io(max={"8:0": IoMax(rbps=7), "8:16": IoMax(wiops=9)}).write(directory, Mode.V2)
        lines = os.read(reading, 4096).decode()
    finally:
        os.close(reading)
    assert lines == "8:0 rbps=7 wbps=max riops=max wiops=max" + "8:16 rbps=max wbps=max riops=max wiops=9"


@pytest.mark.parametrize("weight", [0, 101])
def test_weights_out_of_range(weight: int) -> None:
    with pytest.raises(ValueError, match="io weight"):
        Io(weight=weight)


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """Like /sys/dev/block: the disk 8:16, and the device of tmp_path as a partition of it."""
    device = tmp_path.stat().st_dev
    disk, part = tmp_path / "devices/sdb", tmp_path / "devices/sdb/sdb1"
    part.mkdir(parents=True)
    (disk / "dev").write_text("8:16\n")
    (part / "dev").write_text(f"{os.major(device)}:{os.minor(device)}\n")
    (part / "partition").write_text("1\n")
    (tmp_path / "block").mkdir()
    (tmp_path / "block" / (part / "dev").read_text().strip()).symlink_to(part)
    return tmp_path / "block"


def test_a_path_on_a_partition_is_on_the_whole_disk(tmp_path: Path, numbers: Path) -> None:
    assert disk_of(str(tmp_path), numbers) == "8:16"


def test_a_disk_without_partitions_is_itself(tmp_path: Path, numbers: Path) -> None:
    (tmp_path / "devices/sdb/sdb1/partition").unlink()
    device = tmp_path.stat().st_dev
    assert disk_of(str(tmp_path), numbers) == f"{os.major(device)}:{os.minor(device)}"


def test_no_disk(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CgroupError, match="is on no single disk"):
        disk_of(str(tmp_path), tmp_path / "empty")
    with pytest.raises(CgroupError, match="there is no such disk"):
        disk_of(str(tmp_path / "none"))
