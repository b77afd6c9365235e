"""The threat model names tests that are there."""

from __future__ import annotations

import re

from tests.support.sources import ROOT

TEXT = (ROOT / "packaging/doc/threat-model.md").read_text()


def test_what_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|executor)/[^`]+)`", TEXT)
    assert len(named) > 20
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_each_attack_is_tested() -> None:
    attacks = TEXT.partition("## Attacks")[2].partition("\n## ")[0]
    rows = [line for line in attacks.splitlines() if line.startswith("| ") and "tested in" not in line]
    assert len(rows) > 12
    assert [row for row in rows if "`tests/" not in row.split("|")[4]] == []
