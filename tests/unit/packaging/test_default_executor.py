"""Each row of packaging/doc/default-executor.md names a test, and each test there is a row's."""

from __future__ import annotations

import re

from tests.support.sources import ROOT

ROWS = (ROOT / "packaging/doc/default-executor.md").read_text().partition("## Row by row")[2]
TESTS = (ROOT / "tests/mesos/test_default_executor.py").read_text()


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    rows = [line for line in ROWS.splitlines() if line.startswith("| ") and not line.startswith("| Mesos |")]
    named = [re.findall(r"`(test_\w+)`", line) for line in rows]
    assert rows and all(named)
    assert {each for tests in named for each in tests} == set(re.findall(r"^def (test_\w+)", TESTS, re.MULTILINE))
