from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import cgroupdirs

_MOUNTINFO = """24 1 8:1 / / rw shared:1 - ext4 /dev/vda rw
30 24 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw shared:9 master:2 - cgroup cgroup rw,cpu
32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


def test_hierarchies_of_both_versions_are_found_whatever_the_optional_fields() -> None:
    assert cgroupdirs.mount_points(_MOUNTINFO) == [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/unified")]


@pytest.mark.parametrize("name", ["", "/", "//", "/mpe/../system.slice"])
def test_the_root_and_ways_around_a_name_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="refusing"):
        cgroupdirs.sweep(name)
