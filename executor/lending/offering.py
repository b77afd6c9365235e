"""Sends the offer to the agent, in a thread of its own: an agent that hangs does not keep the lender from deciding."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from executor.lending.amount import Amount

if TYPE_CHECKING:
    from executor.mesos.provider import Provider


class Offering:
    """Sends the newest offer only. `put` and `forget` may be called from another thread than `send`."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._changed = threading.Condition()
        self._wanted: Amount | None = None
        self._sent: Amount | None = None

    def put(self, offer: Amount) -> bool:
        """Whether it is another one than before."""
        with self._changed:
            is_new = offer != self._wanted
            self._wanted = offer
            if is_new:
                self._changed.notify()
            return is_new

    def forget(self) -> None:
        """The agent has lost what was sent."""
        with self._changed:
            self._wanted = self._sent = None

    def send(self) -> None:
        """One offer, once there is one that was not sent. Raises MesosFailure."""
        with self._changed:
            while self._wanted is None or self._wanted == self._sent:
                self._changed.wait()
            offer = self._wanted
        self._provider.offer(cpus=offer.cpus, mem_mib=offer.mem_mib)
        with self._changed:
            if self._wanted is not None:
                self._sent = offer
