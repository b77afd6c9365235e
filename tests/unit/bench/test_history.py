from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.bench import history, noise


def run(value: float | None, *, quick: bool = True, met: bool | None = True) -> dict[str, Any]:
    return {"quick": quick, "targets": {"launch": {"value": value, "met": met}}}


def test_runs_are_read_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "history"
    history.append(path, run(1.0))
    history.append(path, run(2.0))
    assert history.read(path) == [run(1.0), run(2.0)]


@pytest.mark.parametrize("line", ["{", "[]", "{}"])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "history"
    history.append(path, run(1.0))
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=":2: "):
        history.read(path)


def test_a_value_above_all_earlier_ones_and_well_above_their_median_is_a_regression() -> None:
    earlier = [run(1.0), run(1.0), run(1.3)]
    assert history.regressions(run(1.4), earlier) == ["launch: 1.4, in 3 earlier runs 1 (1.3 at most)"]
    assert history.regressions(run(1.3), earlier) == []
    assert history.regressions(run(1.1), [run(1.0)]) == []


def test_of_a_target_that_is_a_least_value_a_lower_one_is_a_regression() -> None:
    def rate(value: float) -> dict[str, Any]:
        return {"quick": True, "targets": {"pods": {"value": value, "met": True, "at_least": True}}}

    earlier = [rate(12.0), rate(11.0), rate(12.0)]
    assert history.regressions(rate(10.0), earlier) == ["pods: 10, in 3 earlier runs 12 (11 at least)"]
    assert history.regressions(rate(13.0), earlier) == []
    assert history.regressions(rate(11.5), [rate(12.0)]) == []


@pytest.mark.parametrize("earlier", [run(1.0, quick=False), run(1.0, met=None), run(None)])
def test_runs_of_another_kind_or_without_a_verdict_are_not_compared_with(earlier: dict[str, Any]) -> None:
    assert history.regressions(run(9.0), [earlier]) == []


def test_a_run_without_a_verdict_shows_no_regression() -> None:
    assert history.regressions(run(9.0, met=None), [run(1.0)]) == []


def test_noise_after_the_run_alone_makes_it_unfit_too() -> None:
    quiet, noisy = [0.99] * 5, [0.4, 0.5, 0.99]
    assert noise.verdict(quiet, quiet) == ""
    assert "50%" in noise.verdict(quiet, noisy)
    assert "50%" in noise.verdict(noisy, quiet)
