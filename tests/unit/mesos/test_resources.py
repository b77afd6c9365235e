"""Sums of Mesos resources."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InvalidTask
from executor.mesos.resources import MIB, PersistentDisk, Resources
from tests.unit.pod.samples import ports, scalar


def test_amounts_are_summed_in_bytes_and_cores() -> None:
    found = Resources.of(
        [
            scalar("cpus", 0.1),
            scalar("cpus", 0.2, revocable=True),
            scalar("mem", 32.5),
            scalar("mem", 32),
            scalar("disk", 1),
        ]
    )
    assert (found.cpus, found.mem_bytes, found.disk_bytes) == (0.3, int(64.5 * MIB), MIB)


def test_one_revocable_resource_makes_the_pod_revocable() -> None:
    assert Resources.of([scalar("cpus", 1), scalar("mem", 1, revocable=True)]).revocable_names == ("mem",)
    assert Resources.of([scalar("cpus", 1), scalar("mem", 1, revocable=True)]).revocable
    assert not Resources.of([scalar("cpus", 1), scalar("mem", 1)]).revocable


def test_a_resource_of_a_provider_counts_like_any_other() -> None:
    resource = {**scalar("cpus", 2, revocable=True), "provider_id": {"value": "p"}}
    assert Resources.of([resource]) == Resources.of([scalar("cpus", 2, revocable=True)])


def test_roles_come_from_the_allocation_then_from_the_resource() -> None:
    old = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "role": "ops"}
    bare = {"name": "mem", "type": "SCALAR", "scalar": {"value": 1}}
    assert Resources.of([scalar("cpus", 1, role="eng/dev"), {**old, "allocation_info": {"role": "eng/dev"}}]).roles == (
        "eng/dev",
    )
    assert Resources.of([old, bare]).roles == ("*", "ops")


def test_ports_are_merged_and_asked_without_counting_them_out() -> None:
    found = Resources.of([ports((31005, 31009), (31000, 31004)), ports((31007, 31020), (40000, 40000))])
    assert found.ports == ((31000, 31020), (40000, 40000))
    assert [found.offers(port) for port in (30999, 31000, 31020, 31021, 40000)] == [False, True, True, False, True]
    assert found.ports_text() == "31000-31020, 40000"
    assert Resources().ports_text() == "none"


def test_what_needs_more_than_counting_is_kept_by_name() -> None:
    volume = {**scalar("disk", 10), "disk": {"persistence": {"id": "v1"}, "volume": {"container_path": "x"}}}
    mount = {**scalar("disk", 10), "disk": {"source": {"type": "MOUNT"}}}
    found = Resources.of([volume, mount, scalar("gpus", 1), scalar("licences", 3)])
    assert found.special_disks == ("source MOUNT",)
    assert found.persistent_disks == (PersistentDisk("v1", "x", read_only=False, size_bytes=10 << 20),)
    assert found.disk_bytes == 10 << 20, "a persistent volume is no room for other files"
    assert (found.gpus, found.others) == (1.0, (("licences", 3.0),))


WRONG: dict[str, Any] = {
    "resources[0]": ["x"],
    "resources[0].name": [{"scalar": {"value": 1}}],
    "resources[0].scalar.value": [scalar("cpus", -1)],
    "resources[1].scalar.value": [scalar("cpus", 1), scalar("mem", float("nan"))],
    "resources[0].scalar": [{"name": "cpus", "scalar": 1}],
    "resources[0].ranges.range": [{"name": "ports", "ranges": {"range": 1}}],
    "resources[0].ranges.range[0]": [ports((5, 4))],
    "resources[0].ranges.range[1]": [ports((4, 5), (1, 70000))],
    "resources[0].allocation_info.role": [{"name": "cpus", "allocation_info": {}}],
    "resources[0].allocation_info": [{"name": "cpus", "allocation_info": "x"}],
}


@pytest.mark.parametrize(("subject", "resources"), WRONG.items())
def test_malformed_resources_are_named(subject: str, resources: Any) -> None:
    with pytest.raises(InvalidTask) as caught:
        Resources.of(resources)
    assert caught.value.subject == subject


@pytest.mark.parametrize("path", ["/srv/data", "../x", "..", ".", "a/b", "pods", "pods/pod-0123456789ab", "x\0y"])
def test_a_persistent_volume_is_in_the_sandbox_and_nowhere_else(path: str) -> None:
    """The agent shows none under such a path, but a directory of the node, or of another pod, may be there."""
    volume = {**scalar("disk", 10), "disk": {"persistence": {"id": "v1"}, "volume": {"container_path": path}}}
    with pytest.raises(InvalidTask, match="cannot name a directory in the Mesos sandbox") as caught:
        Resources.of([volume])
    assert caught.value.subject == "resources[0].disk.volume.container_path"


RANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 40)).map(lambda r: (r[0], r[0] + r[1])), max_size=8)


@given(RANGES)
def test_merging_keeps_exactly_the_ports(ranges: list[tuple[int, int]]) -> None:
    found = Resources.of([ports(*ranges)])
    assert {p for p in range(500) if found.offers(p)} == {p for begin, end in ranges for p in range(begin, end + 1)}
    assert all(left[1] + 1 < right[0] for left, right in zip(found.ports, found.ports[1:], strict=False))
