"""Points of time on a command line: a length of time back from now, or a time in UTC, as all is printed."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any, Final

import click

from executor import duration
from executor.errors import InvalidInput

_HINT: Final = "write such as 10m, 1h30m, or 2026-01-31T12:00:00Z; a time without a zone is UTC"

_FIRST_S: Final = datetime(1, 1, 1, tzinfo=UTC).timestamp()
"""Before all time that a calendar has."""


def moment(text: str, now_s: float) -> float:
    """Seconds since the epoch. Raises InvalidInput."""
    if re.fullmatch(r"\s*[0-9.]+\s*", text):
        raise InvalidInput(f"{text!r} has no unit", hint=_HINT)
    if re.match(r"\d{4}-", text):
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
        except (ValueError, OverflowError) as error:
            raise InvalidInput(f"{text!r} is not a time", hint=_HINT) from error
    try:
        found_s = now_s - duration.seconds(text, subject="")
    except InvalidInput as error:
        raise InvalidInput(f"{text!r} is neither a length of time nor a time", hint=_HINT) from error
    return max(_FIRST_S, found_s)


def shown(at_s: float) -> str:
    """A time that is known to the second."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class MomentType(click.ParamType[float]):
    """Seconds since the epoch."""

    name = "TIME"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        """The value of the option's text."""
        if isinstance(value, float):
            return value
        try:
            return moment(value, time.time())
        except InvalidInput as error:
            self.fail(f"{error.message} ({error.hint})", parameter, context)


MOMENT: Final = MomentType()
