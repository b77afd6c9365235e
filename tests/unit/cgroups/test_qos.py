"""What the classes may use: arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgroups import qos

ROOT = "/mesos/c4d5-1111"
PATHS = st.lists(st.sampled_from(["a", "b", "_", "pods"]), min_size=1, max_size=5).map("/".join)


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
