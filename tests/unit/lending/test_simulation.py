"""The simulation of many nodes, short: it keeps the rules of lending, and shows what the settings are chosen by."""

from __future__ import annotations

import random

import pytest

from tests.support.lending_clusters import BORG, COLOCATED, HOUR_S, Cluster, Setting
from tests.support.lending_simulation import Node, simulate

NODES, HOURS = 5, 0.3


class Watched(Node):
    """Checks after each decision that pods hold no more than the owner left."""

    def _decide(self) -> bool:
        has_returned = super()._decide()
        spare = self.peak.spare(self.setting.margin_percent) if self.setting.by_use else 0
        assert 1000 * len(self.pods) <= self.reserved - self._held() + spare
        return has_returned


@pytest.mark.parametrize("cluster", [BORG, COLOCATED])
@pytest.mark.parametrize("setting", [Setting(), Setting(by_use=True, half_life_s=30.0, margin_percent=0.0)])
def test_no_more_is_lent_than_the_owner_leaves(cluster: Cluster, setting: Setting) -> None:
    for number in range(NODES):
        Watched(cluster, setting, random.Random(number), HOUR_S * number).run(HOURS)


@pytest.mark.parametrize("cluster", [BORG, COLOCATED])
def test_lending_by_allocation_uses_more_of_the_nodes_and_costs_the_owner_nothing(cluster: Cluster) -> None:
    row = simulate(cluster, Setting(), NODES, HOURS).row()
    assert row["used_after"] > row["used_before"] * 1.3
    assert row["useful_gain"] > 0.02
    assert row["owner_squeezed"] == 0
    assert 1 <= row["ended_at_once_p50"] <= row["ended_at_once_p99"] <= 8, "an owner's task has 8 cpus at most"


def test_an_offer_that_grows_slowly_ends_fewer_pods() -> None:
    rows = [simulate(COLOCATED, Setting(grow_after_s=after), NODES, HOURS).row() for after in (0.0, 60.0, 300.0)]
    evictions = [row["evictions_per_core_hour"] for row in rows]
    gains = [row["used_after"] for row in rows]
    assert evictions == sorted(evictions, reverse=True) and gains == sorted(gains, reverse=True)


def test_the_owner_does_the_same_whatever_is_lent() -> None:
    found = [simulate(BORG, setting, NODES, HOURS) for setting in (Setting(), Setting(300.0), Setting(by_use=True))]
    assert len({(each.launches, round(each.owner_used_s, 6)) for each in found}) == 1


def test_a_margin_keeps_the_owner_from_being_squeezed() -> None:
    rows = [
        simulate(BORG, Setting(by_use=True, half_life_s=30.0, margin_percent=margin), NODES, HOURS).row()
        for margin in (0.0, 100.0)
    ]
    assert rows[0]["owner_squeezed"] > rows[1]["owner_squeezed"]
    assert rows[0]["used_after"] > rows[1]["used_after"]
