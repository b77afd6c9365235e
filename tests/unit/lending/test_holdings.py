"""What the agent says of resources, as the lender counts it."""

from __future__ import annotations

import msgspec

from executor.lending.amount import Amount
from executor.lending.node import Holding, totals
from executor.mesos.operator import holdings
from executor.names import Role


def test_resources_of_mesos_become_holdings() -> None:
    resources = [
        {"name": "cpus", "scalar": {"value": 1.5}, "allocation_info": {"role": "eng/db"},
         "reservations": [{"role": "eng"}, {"role": "eng/db"}]},
        {"name": "mem", "scalar": {"value": 64.0}, "allocation_info": {"role": "eng/db"}},
        {"name": "cpus", "scalar": {"value": 0.25}, "allocation_info": {"role": "eng/db"}, "revocable": {}},
        {"name": "ports", "ranges": {"range": []}},
    ]  # fmt: skip
    read = msgspec.convert(resources, list[holdings.Resource])
    assert Holding.of(read) == Holding(
        Role("eng/db"), {Role("eng/db"): Amount(1500)}, borrowed=Amount(250), regular=Amount(1500, 64)
    )
    assert totals(read) == (Amount(1500, 64), {Role("eng/db"): Amount(1500)})
