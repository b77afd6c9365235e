"""What a check says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"  # works, but something is missing or will do harm
    FAIL = "fail"  # pods will not run, or not as they must
    SKIP = "skip"  # could not be looked at


@dataclass(frozen=True)
class Finding:
    """`check` is a stable name, `<area>.<what>`; `hint` what a person can do, empty where nothing is to be done."""

    check: str
    verdict: Verdict
    message: str
    hint: str = ""


def passed(check: str, message: str) -> Finding:
    """A finding that asks for nothing."""
    return Finding(check, Verdict.PASS, message)


def warned(check: str, message: str, hint: str) -> Finding:
    """A finding that a service is missing or harm is possible."""
    return Finding(check, Verdict.WARN, message, hint)


def failed(check: str, message: str, hint: str) -> Finding:
    """A finding that pods will not run, or not as they must."""
    return Finding(check, Verdict.FAIL, message, hint)


def skipped(check: str, message: str, hint: str = "") -> Finding:
    """A finding that the check could not be made."""
    return Finding(check, Verdict.SKIP, message, hint)


def worst(findings: Sequence[Finding]) -> Verdict:
    """What skips does not count."""
    found = {finding.verdict for finding in findings}
    return next((verdict for verdict in (Verdict.FAIL, Verdict.WARN) if verdict in found), Verdict.PASS)
