"""pytest plugin of tests/run: one JSON line for each finished test into the file that MPE_TEST_REPORT names.

A line is written as soon as its test is over, so that the counts survive however the run ends. A test that fails in any
of its phases has failed; an expected failure counts as skipped, with its reason.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

VARIABLE = "MPE_TEST_REPORT"
NAME = "mpe-report"
REASON_CHARACTERS = 300


class Recorder:
    def __init__(self, path: Path) -> None:
        self.file = path.open("a", buffering=1)
        self.outcomes: dict[str, tuple[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome, reason = classify(report)
        known = self.outcomes.get(report.nodeid, ("", ""))[0]
        if known != "failed" and outcome:
            self.outcomes[report.nodeid] = (outcome, reason)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.write(nodeid, *self.outcomes.pop(nodeid, ("failed", "it reported no outcome")))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.write(report.nodeid, "failed", "it cannot be collected")
        elif report.skipped:
            self.write(report.nodeid, "skipped", skip_reason(report.longrepr))

    def pytest_internalerror(self, excrepr: object) -> None:
        self.write("pytest", "failed", "internal error")

    def write(self, test: str, outcome: str, reason: str) -> None:
        self.file.write(json.dumps({"test": test, "outcome": outcome, "reason": reason}) + "\n")

    def pytest_unconfigure(self) -> None:
        self.file.close()


def classify(report: pytest.TestReport) -> tuple[str, str]:
    """(outcome, reason) of one phase; an empty outcome for a set-up or tear-down that went well."""
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = str(crash.message) if crash else report.longrepr if isinstance(report.longrepr, str) else ""
        message = text.partition("\n")[0][:REASON_CHARACTERS]
        return "failed", message if report.when == "call" else f"in its {report.when}: {message}".removesuffix(": ")
    if report.skipped:
        expected = getattr(report, "wasxfail", None)
        return "skipped", skip_reason(report.longrepr) if expected is None else f"expected failure: {expected}"
    return ("passed", "") if report.when == "call" else ("", "")


def skip_reason(longrepr: object) -> str:
    """pytest keeps (file, line, "Skipped: reason") of a skip."""
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")


def pytest_configure(config: pytest.Config) -> None:
    """Where several processes run the tests (forked.py), the first one gets the reports of all."""
    if path := os.environ.get(VARIABLE):
        config.pluginmanager.register(Recorder(Path(path)), NAME)
