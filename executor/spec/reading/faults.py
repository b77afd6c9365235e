"""All faults of a description, not only the first. Pure.

A function that reads one field raises InvalidTask. `Faults` calls such functions, keeps what they raise and goes on
with a default, so that the next field is read as well; `end` then raises all faults as one error. A value that was made
from defaults never leaves the function that made it, for `end` comes before its `return`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from executor.errors import InvalidTask, together

Params = ParamSpec("Params")
Value = TypeVar("Value")
Item = TypeVar("Item")
_STEP = re.compile(r"\.(?=[^'\]]*(?:\[|\.|$))|(?=\[)")


class Faults:
    """`known` are faults of the form. A fault at, above or below the path of one of these only repeats it: dropped."""

    def __init__(self, known: Iterable[InvalidTask] = ()) -> None:
        self._known = list(known)
        self._found: list[InvalidTask] = []
        self._wrong = {fault.subject for fault in self._known}
        self._above = {path for subject in self._wrong for path in _ancestors(subject)}

    def of(
        self, default: Value, make: Callable[Params, Value], /, *args: Params.args, **kwargs: Params.kwargs
    ) -> Value:
        """What `make` returns, or the default where it raises InvalidTask."""
        try:
            return make(*args, **kwargs)
        except InvalidTask as error:
            self.add(error)
            return default

    def items(self, make: Callable[[Item, str], Value], items: Iterable[Item], path: str) -> tuple[Value, ...]:
        """What `make` returns for each item and its path, without those for which it raises InvalidTask."""
        found: list[Value] = []
        for index, item in enumerate(items):
            try:
                found.append(make(item, f"{path}[{index}]"))
            except InvalidTask as error:
                self.add(error)
        return tuple(found)

    def check(self, make: Callable[Params, object], /, *args: Params.args, **kwargs: Params.kwargs) -> None:
        """For what returns nothing that is used."""
        self.of(None, make, *args, **kwargs)

    def add(self, error: InvalidTask) -> None:
        """Keep each fault of the error that does not repeat one of the form."""
        self._found += [fault for fault in error.faults if not self._repeats(fault.subject)]

    def _repeats(self, path: str) -> bool:
        return path in self._above or any(each in self._wrong for each in (path, *_ancestors(path)))

    def end(self) -> None:
        """Raises InvalidTask if there is any fault."""
        if found := [*self._known, *self._found]:
            raise together(_distinct(found))


def _distinct(faults: Iterable[InvalidTask]) -> list[InvalidTask]:
    """A field of the pod that every container inherits is judged with each of them."""
    return list({(fault.subject, fault.message): fault for fault in faults}.values())


def _ancestors(path: str) -> list[str]:
    """`spec.containers[0].name` has `spec.containers[0]`, `spec.containers` and `spec`."""
    return [path[: match.start()] for match in _STEP.finditer(path) if match.start()]
