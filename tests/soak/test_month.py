"""`tests/run soak -- --month`: a month on 100 machines in virtual time. tests/soak/month has what is simulated."""

from __future__ import annotations

import time

import pytest

from tests.soak.month.cluster import simulate
from tests.soak.month.rates import Rates

MACHINES, DAYS = 100, 30

pytestmark = pytest.mark.timeout(0)


def test_a_month(request: pytest.FixtureRequest) -> None:
    begun_s = time.monotonic()
    seed = request.config.getoption("--seed")
    found = simulate(seed, machines=MACHINES, hours=24.0 * DAYS, rates=Rates())
    print(f"\nseed {seed}, {time.monotonic() - begun_s:.0f} s\n{found}")
    assert sum(found.ends.values()) == found.tasks
