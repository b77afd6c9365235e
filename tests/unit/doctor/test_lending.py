"""Whether the owners of lent resources are protected without the lender."""

from __future__ import annotations

from executor.config import Config, PressureSection
from executor.config.lending import LendingSection
from executor.doctor import lending
from executor.doctor.finding import Verdict

LENDS = LendingSection(owners=("spark",))


def test_a_node_that_lends_needs_the_pressure_control_for_when_its_lender_is_dead() -> None:
    (found,) = lending.check(Config(lending=LENDS))
    assert (found.verdict, found.hint) == (Verdict.WARN, "[pressure] enabled = true")
    (found,) = lending.check(Config(lending=LENDS, pressure=PressureSection(enabled=True)))
    assert found.verdict is Verdict.PASS


def test_a_node_that_lends_nothing_hears_nothing_about_it() -> None:
    assert lending.check(Config()) == []
