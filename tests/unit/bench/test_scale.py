from __future__ import annotations

import pytest

from tests.bench.scale import pods_a_second


def test_the_rate_is_that_of_the_whole_time_and_its_spread_that_of_ten_pods_each() -> None:
    ran_s = [100 + (number + 1) / 20 for number in range(20)] + [101 + (number + 1) / 10 for number in range(20)]
    found = pods_a_second(100, ran_s)
    assert found.value == pytest.approx(40 / 3)
    assert list(found.spread) == pytest.approx([10, 20])
    assert len(found) == 40
