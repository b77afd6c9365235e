"""What of a pod could not be released, and since when: the one place that reports it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executor.log import Logger


@dataclass(frozen=True)
class Leak:
    """`what` is the kind of object (task, container, snapshot, shim, network, ...), `where` its name or path."""

    what: str
    where: str
    error: str

    def __str__(self) -> str:
        return f"{self.what} {self.where}: {self.error}"


class Leaks:
    """The leaks of one pod. It remembers when each was first seen, so that a retry does not make it look new."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._since: dict[tuple[str, str], datetime] = {}

    def report(self, found: Sequence[Leak]) -> tuple[str, ...]:
        """Log what is left after a try to release everything; the same in words. What is not in `found` is gone."""
        now = datetime.now(UTC)
        self._since = {(leak.what, leak.where): self._since.get((leak.what, leak.where), now) for leak in found}
        for leak in found:
            self._log.warning(
                "could not remove",
                code="pod.leaked",
                what=leak.what,
                where=leak.where,
                since=self._since[leak.what, leak.where].isoformat(timespec="seconds"),
                error=leak.error,
            )
        return tuple(str(leak) for leak in found)
