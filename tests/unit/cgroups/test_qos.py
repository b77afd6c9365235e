"""What the classes may use: arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups import qos
from cgroups.cpu import WEIGHT_MAX, WEIGHT_MIN, weight_of_shares
from cgroups.cpuset import cpu_list
from cgroups.io import IoMax
from cgroups.mounts import Mode
from cgroups.tree import CLASSES

ROOT = "/mesos/c4d5-1111"
PATHS = st.lists(st.sampled_from(["a", "b", "_", "pods"]), min_size=1, max_size=5).map("/".join)

CPUS = st.floats(0, 2000, allow_nan=False)
MEM_BYTES = st.integers(0, 1 << 50)
NO_LIMIT = {Mode.V1: "-1", Mode.HYBRID: "-1", Mode.V2: "max"}


def memory_files(mode: Mode, mem_bytes: int) -> dict[str, str]:
    """The files that limit memory and swap together to `mem_bytes`; 0: they take the limit away."""
    text = str(mem_bytes) if mem_bytes else NO_LIMIT[mode]
    if mode is Mode.V2:
        return {"memory.max": text, "memory.swap.max": "0" if mem_bytes else "max"}
    return {"memory.limit_in_bytes": text, "memory.memsw.limit_in_bytes": text}


@given(st.sampled_from(CLASSES), CPUS, MEM_BYTES, st.sampled_from(Mode))
def test_a_class_has_the_same_policy_in_every_hierarchy(
    pod_class: str, cpus: float, mem_bytes: int, mode: Mode
) -> None:
    """The regular class has a weight and no limit. The revocable class has idle CPU, the least weight and a limit."""
    files = qos.class_limits(pod_class, cpus, mem_bytes).values(mode)
    written = files.pop("cpu.weight" if mode is Mode.V2 else "cpu.shares")
    weight = int(written) if mode is Mode.V2 else weight_of_shares(int(written))
    if pod_class == "regular":
        assert abs(weight - min(max(100 * cpus, WEIGHT_MIN), WEIGHT_MAX)) <= 0.5
        assert files == {}
    else:
        assert weight == WEIGHT_MIN
        assert files == {"cpu.idle": "1"} | memory_files(mode, mem_bytes)


@given(CPUS, CPUS, MEM_BYTES, st.sampled_from(Mode))
def test_a_pod_that_starts_weighs_as_much_as_any_other_and_has_its_own_limits(
    cpus: float, of_another: float, mem_bytes: int, mode: Mode
) -> None:
    file = "cpu.weight" if mode is Mode.V2 else "cpu.shares"
    starting = qos.pod_limits(cpus, mem_bytes, starting=True).values(mode)
    own, another = (qos.pod_limits(each, mem_bytes).values(mode) for each in (cpus, of_another))
    assert int(starting.pop(file)) >= int(another[file])
    del own[file]
    assert starting == own


@given(st.frozensets(st.integers(0, 63)), st.booleans(), st.sampled_from(Mode))
def test_a_class_uses_disks_and_cpus_by_the_same_policy_in_every_hierarchy(
    cpus: frozenset[int], limited: bool, mode: Mode
) -> None:
    """Revocable pods have the least weight there is on a disk; what nothing asks for is not written."""
    io_max = {"8:0": IoMax(rbps=7)} if limited else {}
    regular, revocable = (qos.class_policy(each, cpus, io_max).values(mode) for each in CLASSES)
    weights = {file for file in regular if file.endswith("weight")}
    assert weights == ({"io.weight", "io.bfq.weight"} if mode is Mode.V2 else {"blkio.bfq.weight", "blkio.weight"})
    assert all(int(revocable[file]) <= 10 < int(regular[file]) == 100 for file in weights)
    for files in (regular, revocable):
        assert files.get("cpuset.cpus") == (cpu_list(cpus) or None)
        assert any("max" in file or "throttle" in file for file in files) is limited


@given(CPUS, MEM_BYTES, st.sampled_from(Mode))
def test_a_pod_has_what_it_holds_in_every_hierarchy(cpus: float, mem_bytes: int, mode: Mode) -> None:
    files = qos.pod_limits(cpus, mem_bytes).values(mode)
    written = files.pop("cpu.weight" if mode is Mode.V2 else "cpu.shares")
    weight = int(written) if mode is Mode.V2 else weight_of_shares(int(written))
    assert abs(weight - min(max(100 * cpus, WEIGHT_MIN), WEIGHT_MAX)) <= 0.5
    assert files == memory_files(mode, mem_bytes)


@given(st.tuples(CPUS, CPUS).map(sorted), MEM_BYTES, st.sampled_from(Mode))
def test_more_cpus_are_never_less_weight(cpus: list[float], mem_bytes: int, mode: Mode) -> None:
    """The revocable class has at most the weight of the regular one, with any number of cpus."""
    file = "cpu.weight" if mode is Mode.V2 else "cpu.shares"
    revocable = qos.class_limits("revocable", cpus[1], mem_bytes).values(mode)
    fewer, more = (qos.class_limits("regular", each, mem_bytes).values(mode) for each in cpus)
    assert int(revocable[file]) <= int(fewer[file]) <= int(more[file])


@given(st.dictionaries(PATHS, st.integers(0, 1 << 40)))
def test_protected_memory_is_protected_on_the_whole_path(roles: dict[str, int]) -> None:
    """Every group has what the groups right below it have together, and there is no other one."""
    pods = {f"{ROOT}/pods/{path}/pod-{number}": held for number, (path, held) in enumerate(roles.items())}
    found = qos.protections(ROOT, pods)
    assert {path: found[path] for path in pods} == pods
    assert found[ROOT] == sum(pods.values())
    for path, held in found.items():
        below = [other for other in found if other.rpartition("/")[0] == path]
        assert path in pods or held == sum(found[other] for other in below)
        assert path == ROOT or path.rpartition("/")[0] in found


@pytest.mark.parametrize(
    ("found", "cpus", "due"),
    [
        (2, 1.0, 100),  # 25 shares: 1.0 regular and 1.5 revocable cpus with --revocable_cpu_low_priority
        (100, 1.0, None),
        (250, 1.0, None),  # --no-revocable_cpu_low_priority counts both kinds
        (1, 0.015, None),  # 15 shares, rounded
        (None, 4.0, None),
        (10, 0.0, None),
        (2, 200.0, 10_000),
    ],
)
def test_the_weight_that_regular_cpus_are_due(found: int | None, cpus: float, due: int | None) -> None:
    assert qos.guarded_weight(found, cpus) == due
