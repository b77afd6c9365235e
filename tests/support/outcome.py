"""Counts of tests, read from what tests/support/report.py and the benchmarks wrote. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How one suite, or all of them, went; `notes` has one line for each test that failed or was skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """The reason of each failed test, by the test's name."""

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def ok(self) -> bool:
        return self.failed == 0 and self.passed > 0

    def add(self, other: Outcome) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.notes += other.notes
        self.failures |= other.failures

    def count(self, test: str, outcome: str, reason: str = "") -> None:
        """`outcome` is passed, failed or skipped."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != "passed":
            first_line = reason.strip().partition("\n")[0]
            self.notes.append(f"{outcome}: {test}" + (f": {first_line}" if first_line else ""))
        if outcome == "failed":
            self.failures[test] = first_line

    def passed_again(self, test: str) -> None:
        """A failed test has passed when it ran once more: it counts as passed, and a note says that it is unsteady."""
        reason = self.failures.pop(test)
        self.failed -= 1
        self.passed += 1
        self.notes = [note for note in self.notes if not note.startswith(f"failed: {test}")]
        self.notes.append(
            f"unsteady: {test}: failed, and passed when it ran once more" + (f": {reason}" if reason else "")
        )


def of_lines(lines: Iterable[str]) -> Outcome:
    """The outcome in report.py's lines; the last one may be cut off where the run was killed."""
    total = Outcome()
    for line in lines:
        if line.endswith("\n"):
            total.count(**json.loads(line))
    return total


def of_targets(text: str, suite: str = "bench", *, judged: bool) -> Outcome:
    """The outcome in the line of JSON that the benchmarks end with, one test a target.

    When not `judged` (the suite was not named), a missed target is reported as skipped: a busy machine is no reason to
    fail. So is a target that the benchmarks could not judge (`met` is null), with their reason.
    """
    total = Outcome()
    try:
        targets = json.loads(text)["targets"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        total.count(suite, "failed", f"it did not end with a line of JSON with its targets, but with {text!r:.100}")
        return total
    for name, target in targets:
        reason = f"{target['value']} misses the target {target['target']}"
        missed = ("failed", reason) if judged else ("skipped", f"{reason} (judged when {suite} is named)")
        if target["met"] is None:
            missed = ("skipped", target.get("reason", "not judged"))
        total.count(f"{suite}::{name}", *(("passed", "") if target["met"] else missed))
    return total
