"""A scheduler that leaves its offers to other frameworks while it launches nothing."""

from __future__ import annotations

from typing import Any

from tests.support.mesos.http import Message
from tests.support.mesos.scheduler import Scheduler


class SharingScheduler(Scheduler):
    def __init__(self, master: str, **options: Any) -> None:
        super().__init__(master, **options)
        self._refuse_s: float | None = None

    def release(self, *, refuse_s: float = 1.0) -> None:
        """Leave all offers to others, until `revive`."""
        self._refuse_s = refuse_s
        self.call("SUPPRESS")
        self._decline()

    def revive(self) -> None:
        """Ask for offers again."""
        self._refuse_s = None
        self.call("REVIVE")

    def _take(self, body: Message) -> None:
        super()._take(body)
        if body["type"] == "OFFERS" and self._refuse_s is not None:  # they were on their way
            self._spawn(self._decline)

    def _decline(self) -> None:
        with self.changed:
            ids = [{"value": offer_id} for offer_id in self._offers]
            self._offers.clear()
        if ids:
            self.call("DECLINE", {"offer_ids": ids, "filters": {"refuse_seconds": self._refuse_s}})
