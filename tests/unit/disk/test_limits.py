"""Which pod is over which limit, and who is ended for the quota of all, for any numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.disk import limits
from executor.disk.limits import QUOTA_PART, Held
from executor.disk.usage import DiskUsage, divider, of_parts
from executor.mesos.resources import Resources
from executor.names import PodClass, PodId, Role, TaskId
from executor.spec.model import ContainerSpec, Limits, PodSpec
from executor.spec.volume_model import EmptyDir

SIZES = st.integers(0, 1 << 40)
LIMITS = st.one_of(st.none(), st.integers(1, 1 << 40))


def spec(
    disk: int = 0, containers: dict[str, int | None] | None = None, volumes: dict[str, int | None] | None = None
) -> PodSpec:
    named = containers if containers is not None else {"app": None}
    return PodSpec(
        task_ids=(TaskId("t"),),
        name="p",
        namespace="default",
        uid="u",
        pod_class=PodClass.REGULAR,
        role=Role("*"),
        containers=tuple(
            ContainerSpec(name, "i", TaskId("t"), limits=Limits(ephemeral_bytes=limit)) for name, limit in named.items()
        ),
        resources=Resources(disk_bytes=disk),
        volumes=tuple(EmptyDir(name, limit) for name, limit in (volumes or {}).items()),
    )


USAGES = st.builds(
    DiskUsage,
    rootfs=st.fixed_dictionaries({"a": SIZES, "b": SIZES}),
    logs=st.fixed_dictionaries({"a": SIZES, "b": SIZES}),
    volumes=st.fixed_dictionaries({"v": SIZES}),
    other=SIZES,
)
SPECS = st.builds(
    spec,
    st.one_of(st.just(0), st.integers(1, 1 << 40)),
    st.fixed_dictionaries({"a": LIMITS, "b": LIMITS}),
    st.fixed_dictionaries({"v": LIMITS}),
)


@given(pod=SPECS, usage=USAGES)
def test_a_pod_is_over_if_and_only_if_some_limit_is_passed(pod: PodSpec, usage: DiskUsage) -> None:
    a, b = pod.containers
    (v,) = pod.empty_dirs
    total = sum(usage.rootfs.values()) + sum(usage.logs.values()) + sum(usage.volumes.values()) + usage.other
    of_containers = sum(each.limits.ephemeral_bytes or 0 for each in (a, b))
    passed = [
        bool(pod.resources.disk_bytes) and total > pod.resources.disk_bytes,
        bool(of_containers) and total > of_containers,
        v.size_limit_bytes is not None and usage.volumes["v"] > v.size_limit_bytes,
        *(
            each.limits.ephemeral_bytes is not None
            and usage.rootfs[each.name] + usage.logs[each.name] > each.limits.ephemeral_bytes
            for each in (a, b)
        ),
    ]
    found = limits.over(pod, usage)
    assert (found is not None) == any(passed)
    if found is not None:
        assert found.used_bytes > found.limit_bytes
        assert limits.size(found.limit_bytes) in found.message and limits.size(found.used_bytes) in found.message


@given(pod=SPECS, usage=USAGES, more=SIZES)
def test_room_is_what_may_still_be_written(pod: PodSpec, usage: DiskUsage, more: int) -> None:
    """Whatever part it goes to: less than the room never passes a limit."""
    room = limits.room_bytes(pod, usage)
    assert (room is None) == (limits.pod_limit(pod) is None and not pod.empty_dirs[0].size_limit_bytes)
    if room is None or limits.over(pod, usage) is not None:
        return
    within = min(more, room)
    for grown in (
        replace(usage, volumes={"v": usage.volumes["v"] + within}),
        replace(usage, rootfs={**usage.rootfs, "a": usage.rootfs["a"] + within}),
        replace(usage, other=usage.other + within),
    ):
        assert limits.over(pod, grown) is None


def test_the_lower_limit_of_the_pod_counts_and_is_named() -> None:
    usage = DiskUsage({"app": 30 << 20}, {"app": 20 << 20}, {"v": 10 << 20})
    disk = limits.over(spec(50 << 20, {"app": 70 << 20}), usage)
    assert disk is not None
    assert disk.message == (
        "the pod uses 60.0 MiB of disk (rootfs 30.0 MiB, volumes 10.0 MiB, logs 20.0 MiB),"
        " more than the task's disk of 50.0 MiB"
    )
    both = limits.over(spec(0, {"app": 55 << 20, "side": 0}), usage)
    assert both is not None and both.message.endswith("more than its limits.ephemeral-storage of 55.0 MiB")
    own = limits.over(spec(0, {"app": 40 << 20}), usage)
    assert own is not None and own.message.startswith("container app uses 50.0 MiB of disk (rootfs 30.0 MiB, logs")


def test_what_cannot_be_counted_is_over_any_limit_and_over_none_without() -> None:
    usage = DiskUsage(complete=False)
    assert limits.over(spec(), usage) is None
    found = limits.over(spec(1 << 30), usage)
    assert found is not None and "too deeply" in found.message and found.limit_bytes == 1 << 30


HELD = st.lists(
    st.builds(Held, st.just(PodId("p")), st.integers(0, 1 << 30), st.booleans(), st.booleans()), max_size=12
).map(lambda pods: [replace(each, pod=PodId(f"p{n}")) for n, each in enumerate(pods)])


@given(held=HELD, own=st.integers(0, 1 << 30), quota=st.integers(1, 1 << 33))
def test_the_quota_ends_as_few_as_suffice_and_nobody_who_is_entitled(held: list[Held], own: int, quota: int) -> None:
    victims = limits.quota_victims(held, own, quota)
    used = own + sum(each.used_bytes for each in held)
    assert all(not each.entitled and each.used_bytes for each in victims)
    assert len({each.pod for each in victims}) == len(victims)
    if used <= int(quota * QUOTA_PART):
        assert not victims
        return
    left = used - sum(each.used_bytes for each in victims)
    spared = [each for each in held if each not in victims and not each.entitled and each.used_bytes]
    assert left <= int(quota * QUOTA_PART) or not spared, "enough, or all that may be ended"
    if victims:
        assert left + victims[-1].used_bytes > int(quota * QUOTA_PART), "the last one was needed"
    if any(not each.revocable for each in victims):
        assert not any(each.revocable for each in spared), "no regular pod before a revocable one"


def test_parts_of_the_directory() -> None:
    part = divider(["app", "side"])
    names: dict[bytes, Any] = {
        b"app.stdout": "logs/app", b"app.stderr": "logs/app", b"side.stdout.1": "logs/side", b"volumes": "volumes",
        b"hosts": "", b"other.stdout": "", b"app.other": "", b"\xff": "",
    }  # fmt: skip
    assert {name: part("", 0, name) for name in names} == names
    assert part("volumes", 1, b"v") == "volumes/v" and part("volumes/v", 2, b"volumes") == "volumes/v"
    usage = of_parts({"": 1, "logs/app": 2, "volumes": 4, "volumes/v": 8}, {"app": 16}, complete=True, unlinked=32)
    assert (usage.total, usage.in_sandbox, usage.other) == (63, 15, 5)
    assert usage.parts() == {"rootfs": 16, "volumes": 8, "logs": 2, "other": 5, "unlinked": 32}


@pytest.mark.parametrize("containers", [{"a": None, "b": None}, {"a": 5, "b": None}])
def test_the_pods_sum_is_of_the_containers_that_have_a_limit(containers: dict[str, int | None]) -> None:
    """As in Kubernetes."""
    total = sum(limit or 0 for limit in containers.values())
    assert limits.pod_limit(spec(0, containers)) == ((total, "its limits.ephemeral-storage") if total else None)
