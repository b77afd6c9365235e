"""A table of cases as one test: every case runs, and the failure names each case that failed, with its error.

pytest's parametrisation costs a report and a message between processes for every case; tables of hundreds do without.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Case = TypeVar("Case")


def check_each(cases: Mapping[str, Case] | Iterable[tuple[str, Case]], check: Callable[[Case], object]) -> None:
    """Call `check` for every case. Raises AssertionError with the name and the error of all that failed, or if there
    is no case."""
    failed, count = list[str](), 0
    for name, case in cases.items() if isinstance(cases, Mapping) else cases:
        count += 1
        try:
            check(case)
        except Exception as error:  # noqa: BLE001 the other cases run, and the failure tells of each
            failed.append(f"{name or '(empty)'}: {described(error)}")
    assert count, "there is no case"
    assert not failed, f"{len(failed)} of {count} cases failed:\n" + "\n".join(failed)


def described(error: Exception) -> str:
    """The error and the line of the test where it came from, which is the last one outside of the libraries."""
    frames = [each for each in traceback.extract_tb(error.__traceback__)[1:] if "site-packages" not in each.filename]
    where = f" ({frames[0].filename}:{frames[0].lineno})" if frames else ""
    return "".join(traceback.format_exception_only(error)).rstrip() + where
