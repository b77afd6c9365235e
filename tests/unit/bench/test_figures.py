from __future__ import annotations

import json

import pytest

from tests.bench.figures import REQUESTS_FOR_P99, Figure, Report, Target, growth, p99, quotient


def test_a_figure_has_its_median_spread_and_number_of_samples() -> None:
    figure = Figure.of([5, 1, 2, 3, 4])
    assert figure.document() == {"value": 3, "spread": [2, 4], "n": 5}
    assert Figure.of([7]).spread == (7, 7)


def test_ratios_are_those_of_neighbours() -> None:
    """The machine became ten times slower after the first turn, which is no matter of either."""
    assert Figure.of([1, 20]).over(Figure.of([2, 40])).samples == (0.5, 0.5)
    with pytest.raises(ValueError, match="shorter"):
        Figure.of([1, 2]).over(Figure.of([1]))


@pytest.mark.parametrize(
    ("value", "unjudged", "met", "verdict"),
    [(1.0, "", True, "met"), (1.2, "", False, "missed"), (1.2, "noise", None, "not judged")],
)
def test_a_target_is_met_missed_or_not_judged(value: float, unjudged: str, *, met: bool | None, verdict: str) -> None:
    target = Target(Figure.of([value]), 1.1, unjudged)
    assert target.verdict == verdict
    document = target.document()
    assert (document["value"], document["met"], document.get("reason", "")) == (value, met, unjudged)


def test_a_skipped_target_is_listed_as_valid_json_without_a_figure() -> None:
    report = Report()
    report.skip({"a": 1.5}, "there is no podman")
    document = json.loads(json.dumps(report.targets["a"].document(), allow_nan=False))
    assert document == {
        "value": None,
        "spread": None,
        "n": 0,
        "target": 1.5,
        "met": None,
        "reason": "there is no podman",
    }


def test_noise_changes_what_takes_time_and_keeps_the_reason_that_is_there() -> None:
    one = Figure.of([1])
    report = Report({"launch": Target(one, 2), "rss": Target(one, 2, timed=False), "podman": Target(one, 2, "absent")})
    report.unjudge("noise")
    assert {name: target.unjudged for name, target in report.targets.items()} == {
        "launch": "noise",
        "rss": "",
        "podman": "absent",
    }


def test_a_target_can_be_the_least_that_is_wanted() -> None:
    assert Target(Figure.of([12.5]), 12, at_least=True).verdict == "met"
    assert Target(Figure.of([11]), 12, at_least=True).verdict == "missed"


def test_too_few_requests_have_no_99th_percentile() -> None:
    assert p99([1.0] * (REQUESTS_FOR_P99 - 1)) is None
    found = p99([*range(1, REQUESTS_FOR_P99 + 1)])
    assert found is not None
    assert (found.value, len(found)) == (0.99 * REQUESTS_FOR_P99, REQUESTS_FOR_P99)
    assert 0.985 * REQUESTS_FOR_P99 < found.low < found.value < found.high < 0.995 * REQUESTS_FOR_P99


def test_the_quotient_of_two_percentiles_is_as_uncertain_as_both() -> None:
    one, other = p99([1.0] * 1975 + [4.0] * 25), p99([1.0] * 3000)
    assert one is not None
    assert other is not None
    found = quotient(one, other)
    assert (found.value, found.spread, len(found)) == (4.0, (1.0, 4.0), 2000)


def test_what_takes_as_long_at_the_end_as_at_first_does_not_grow() -> None:
    constant = growth([10.0, 12.0, 10.0, 12.0, 10.0, 12.0, 10.0, 12.0, 11.0])
    assert constant.low < 1.0 < constant.high
    assert len(constant) == 9
    rising = growth([10.0 + number / 10 for number in range(101)])
    assert rising.value == pytest.approx(2.0)
    assert rising.low > 1.9
