"""Reading /proc/self/mountinfo and /proc/self/cgroup of the machines that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups.errors import CgroupError
from cgroups.mounts import Hierarchies, Mode, parse_membership, parse_mountinfo

TMPFS = "31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"
HYBRID = (
    TMPFS
    + "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:14 - cgroup cgroup rw,cpu,cpuacct\n"
    + "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    + "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    + "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/agent,name=systemd\n"
    + "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:5 - cgroup2 cgroup2 rw,nsdelegate\n"
)
V2 = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n"
SYS = "23 1 0:21 / /sys rw - sysfs sysfs rw\n"


def test_hybrid() -> None:
    found = parse_mountinfo(SYS + HYBRID)
    assert found.mode is Mode.HYBRID
    assert found.unified == Path("/sys/fs/cgroup/unified")
    assert set(found.v1) == {"cpu", "cpuacct", "memory", "freezer", "name=systemd"}
    assert found.v1["cpu"] == found.v1["cpuacct"] == Path("/sys/fs/cgroup/cpu,cpuacct")


def test_a_shared_mount_point_is_visited_once_and_unified_last() -> None:
    found = parse_mountinfo(HYBRID)
    names = [point.name for point in found.points]
    assert names == ["cpu,cpuacct", "memory", "freezer", "systemd", "unified"]
    assert found.controllers(Path("/sys/fs/cgroup/cpu,cpuacct")) == {"cpu", "cpuacct"}


def test_v2() -> None:
    found = parse_mountinfo(V2)
    assert (found.mode, found.points) == (Mode.V2, (Path("/sys/fs/cgroup"),))
    assert found.home("memory") == (Path("/sys/fs/cgroup"), Mode.V2)
    assert found.witnesses == ()


def test_v1_alone() -> None:
    found = parse_mountinfo("".join(line + "\n" for line in HYBRID.splitlines() if "cgroup2" not in line))
    assert (found.mode, found.unified) == (Mode.V1, None)
    assert found.home("pids") is None


def test_a_controller_is_set_in_v1_where_it_is_mounted_there() -> None:
    found = parse_mountinfo(HYBRID)
    assert found.home("memory") == (Path("/sys/fs/cgroup/memory"), Mode.V1)
    assert found.home("pids") == (Path("/sys/fs/cgroup/unified"), Mode.V2)


def test_a_group_can_be_made_for_one_controller_alone() -> None:
    shared = Hierarchies({"cpu": Path("/c"), "cpuacct": Path("/c"), "memory": Path("/m")}, Path("/u"))
    assert shared.only("cpu") == Hierarchies({"cpu": Path("/c"), "cpuacct": Path("/c")})
    unified = Hierarchies({}, Path("/u"))
    assert unified.only("cpu") == unified, "cgroup2 knows one group for all"


def test_the_freezer_is_the_witness_or_else_all_of_v1() -> None:
    found = parse_mountinfo(HYBRID)
    assert found.witnesses == (Path("/sys/fs/cgroup/freezer"),)
    bare = Hierarchies({"cpu": Path("/c"), "cpuacct": Path("/c"), "memory": Path("/m")})
    assert bare.witnesses == (Path("/c"), Path("/m"))


def test_a_bind_mount_of_a_part_is_not_used() -> None:
    part = "90 23 0:38 /docker/ab /mnt/part rw - cgroup2 cgroup2 rw\n"
    assert parse_mountinfo(SYS + part + V2).unified == Path("/sys/fs/cgroup")
    with pytest.raises(CgroupError, match="no cgroup hierarchy"):
        parse_mountinfo(SYS + part)


def test_hidden_mounts_are_not_used() -> None:
    over = "50 31 0:38 / /sys/fs/cgroup rw - cgroup2 none rw\n"  # mounted over the tmpfs and all that is in it
    found = parse_mountinfo(SYS + HYBRID + over)
    assert (found.mode, found.unified) == (Mode.V2, Path("/sys/fs/cgroup"))


def test_a_stacked_mount_hides_only_its_own_point() -> None:
    over = "50 35 0:99 / /sys/fs/cgroup/memory rw - tmpfs tmpfs rw\n"
    found = parse_mountinfo(SYS + HYBRID + over)
    assert "memory" not in found.v1
    assert "freezer" in found.v1


def test_octal_escapes() -> None:
    assert parse_mountinfo("29 22 0:26 / /mnt/a\\040b rw - cgroup2 none rw\n").unified == Path("/mnt/a b")


def test_nothing_is_mounted() -> None:
    with pytest.raises(CgroupError) as caught:
        parse_mountinfo(SYS)
    assert "mount -t cgroup2" in caught.value.hint


def test_membership() -> None:
    content = b"4:memory:/mesos/a\n2:cpu,cpuacct:/\n1:name=systemd:/x:y\n0::/mesos/a b\n"
    assert parse_membership(content) == {
        "memory": "/mesos/a", "cpu": "/", "cpuacct": "/", "name=systemd": "/x:y", "": "/mesos/a b",
    }  # fmt: skip


def test_membership_in_a_group_with_any_name_that_a_file_may_have() -> None:
    """Whoever may make groups chooses the name."""
    assert parse_membership(b"1:cpu:/a\rb\x85c\n0::/\xff\n") == {"cpu": "/a\rb\udc85c", "": "/\udcff"}


def test_names_of_other_mounts_are_bytes() -> None:
    odd = [f"{50 + n} 23 0:99 / /mnt/{name} rw - tmpfs none rw\n" for n, name in enumerate(ODD)]
    found = parse_mountinfo(SYS + "".join(odd) + HYBRID)
    assert found == parse_mountinfo(SYS + HYBRID)


ODD = ("caf\udce9", "a\u2028b", "a\x0bb", "a\xa0b", "a\x85b", "a\\040b")
