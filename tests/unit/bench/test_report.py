"""The blocks of performance.md against the runs that fill them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.bench import report
from tests.support.sources import ROOT

DOCUMENT = (ROOT / "packaging/doc/performance.md").read_text()


def figure(value: float, low: float = 0, high: float = 0, n: int = 1) -> dict[str, Any]:
    return {"value": value, "spread": [low, high], "n": n}


def run(**figures: dict[str, Any]) -> dict[str, Any]:
    return {"figures": figures, "targets": {}, "series": {}, "absent": {}}


def test_the_document_has_each_block_once() -> None:
    assert sorted(re.findall(r"<!-- bench ([a-z-]+) -->", DOCUMENT)) == sorted(report.BLOCKS)
    assert DOCUMENT.count("<!-- end -->") == len(report.BLOCKS)


def test_each_chart_that_a_block_shows_is_drawn() -> None:
    drawn = re.findall(r"performance-([a-z]+)\.png", (ROOT / "tests/bench/charts.py").read_text())
    assert sorted(drawn) == sorted(report.CHARTS)


def test_a_block_that_the_run_did_not_measure_stays() -> None:
    document = "a\n<!-- bench pulls -->\nold\n<!-- end -->\nb\n<!-- bench launches -->\nold\n<!-- end -->\nc"
    found = {"launch of 20, executor, ms": figure(1500, 1400, 1600, 4), "launch of 20, executor over bare": figure(1.1)}
    text, kept = report.written(document, run(**found))
    assert kept == ["pulls"]
    assert text.startswith("a\n<!-- bench pulls -->\nold\n<!-- end -->\nb\n")
    assert "| 20 | 1,500 (1,400 to 1,600, n=4) | 75 | 1.1 (n=1) | - | - | - | - |\n\n![" in text
    assert text.endswith("(performance-launches.png)\n<!-- end -->\nc")
    assert report.written(text, run(**found))[0] == text


@pytest.mark.parametrize(
    ("met", "words"), [(True, "| met |"), (False, "| **missed** |"), (None, "| not judged: too noisy |")]
)
def test_each_target_has_its_verdict(met: bool | None, words: str) -> None:
    target = {**figure(0.21, 0.2, 0.3, 9), "target": 0.2, "met": met, "reason": "too noisy"}
    lines = list(report.targets({"targets": {"start_to_subscribed_s": target}, "machine": {"noisy": ""}}))
    assert lines[-1] == f"| start of the process to SUBSCRIBED, s | 0.21 (0.2 to 0.3, n=9) | at most 0.2 {words}"


def test_what_is_not_known_is_a_dash() -> None:
    assert report.cell({"value": None, "spread": None, "n": 0}) == "-"
    assert report.cell(None) == "-"
