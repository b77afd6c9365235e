"""What the classes may use: arithmetic."""

from __future__ import annotations

import pytest

from cgroups import qos


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
