"""A TCP proxy before the Mesos agent's port whose connections break (faults.py).

    with AgentFaults(agent.endpoint, directory) as proxy:
        proxy.set(Plan(seed=7, rate=0.5, kinds=KINDS, longest_s=3))
        scheduler.launch([...], proxy.between(rig.executor()))

reset: the connection breaks after a time. mute: the agent gets what the executor sends for a time, the executor gets
nothing of the agent's, and then the connection breaks. late: the agent gets nothing for a time.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.faults import Fault, Faults
from tests.support.mesos.http import Message

KINDS = ("reset", "mute", "late")
_NAME = "agent"
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER without a time: close sends RST."""


class AgentFaults(Faults):
    """`endpoint` is the proxy's own."""

    def __init__(self, agent: str, directory: Path) -> None:
        super().__init__(directory)
        self._agent = agent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "{}:{}".format(*self._listener.getsockname())
        self._links: set[_Link] = set()

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in list(self._links):
            link.cut()

    def between(self, executor: Message) -> Message:
        """The ExecutorInfo, with this in the place of the agent."""
        command = executor["command"]
        line = f"export MESOS_AGENT_ENDPOINT={self.endpoint}; {command['value']}"
        return executor | {"command": command | {"value": line}}

    def _accept(self) -> None:
        host, _, port = self._agent.rpartition(":")
        with contextlib.suppress(OSError):
            while True:
                executor, _ = self._listener.accept()
                try:
                    agent = socket.create_connection((host, int(port)), 2)
                except OSError:
                    _reset(executor)
                    continue
                agent.settimeout(None)
                self._links = {link for link in self._links if not link.is_over}
                link = _Link(executor, agent, self.next(_NAME))
                self._links.add(link)
                link.start()


class _Link:
    """One connection through the proxy."""

    def __init__(self, executor: socket.socket, agent: socket.socket, fault: Fault | None) -> None:
        self._executor, self._agent, self._fault = executor, agent, fault
        self._timer: threading.Timer | None = None
        self.is_over = False

    def start(self) -> None:
        kind, seconds = (self._fault.kind, self._fault.seconds) if self._fault is not None else ("", 0.0)
        if kind in {"reset", "mute"}:
            self._timer = threading.Timer(seconds, self.cut)
            self._timer.daemon = True
            self._timer.start()
        calls = threading.Thread(target=self._calls, args=(seconds if kind == "late" else 0.0,), daemon=True)
        answers = threading.Thread(target=self._answers, args=(kind == "mute",), daemon=True)
        calls.start()
        answers.start()

    def _calls(self, wait_s: float) -> None:
        with contextlib.suppress(OSError):
            time.sleep(wait_s)
            while data := self._executor.recv(65536):
                self._agent.sendall(data)
        self.cut()

    def _answers(self, mute: bool) -> None:
        with contextlib.suppress(OSError):
            while data := self._agent.recv(65536):
                if not mute:
                    self._executor.sendall(data)
        self.cut()

    def cut(self) -> None:
        """Both ends get a reset."""
        if self._timer is not None:
            self._timer.cancel()
        self.is_over = True
        for each in (self._executor, self._agent):
            _reset(each)


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
