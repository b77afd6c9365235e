"""A relay to the Mesos agent's port whose connections break (faults.py).

    with AgentFaults(agent.endpoint, directory) as proxy:
        proxy.set(Plan(seed=7, rate=0.5, kinds=KINDS, longest_s=3))
        scheduler.launch([...], proxy.between(rig.executor()))

reset: the connection breaks after a time. mute: the agent gets what the executor sends for a time, the executor gets
nothing of the agent's, and then the connection breaks. late: the agent gets nothing for a time.
"""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.faults import Fault, Faults
from tests.support.relay import PIECE_BYTES, Link, Relay

KINDS = ("reset", "mute", "late")
_NAME = "agent"


class AgentFaults(Faults):
    """`endpoint` is the relay's own."""

    def __init__(self, agent: str, directory: Path) -> None:
        super().__init__(directory)
        self._relay = Relay(agent, lambda executor, server: _Link(executor, server, self.next(_NAME)))
        self.endpoint = self._relay.endpoint

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._relay.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._relay.close()

    def between(self, executor: dict[str, Any]) -> dict[str, Any]:
        """The ExecutorInfo, with this in the place of the agent."""
        return self._relay.between(executor)


class _Link(Link):
    def __init__(self, executor: socket.socket, agent: socket.socket, fault: Fault | None) -> None:
        super().__init__(executor, agent)
        self._kind, self._seconds = (fault.kind, fault.seconds) if fault is not None else ("", 0.0)
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        if self._kind in {"reset", "mute"}:
            self._timer = threading.Timer(self._seconds, self.cut)
            self._timer.daemon = True
            self._timer.start()
        super().start()

    def calls(self) -> None:
        if self._kind == "late":
            time.sleep(self._seconds)
        super().calls()

    def answers(self) -> None:
        if self._kind == "mute":
            while self.server.recv(PIECE_BYTES):
                pass
        super().answers()

    def cut(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().cut()
