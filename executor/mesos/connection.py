"""Sockets to the agent: TCP, or the Unix domain socket that it names (docs/executor-http-api.md).

Every failure is a MesosFailure that names the agent's address.
"""

from __future__ import annotations

import socket
from http.client import HTTPConnection

from executor.errors import MesosFailure
from executor.mesos.environment import Environment

CONNECT_TIMEOUT_S = 1.0
ANSWER_TIMEOUT_S = 10.0
"""For the answer to SUBSCRIBE and to each call."""


def connect(environment: Environment) -> socket.socket:
    """A blocking socket. Raises MesosFailure."""
    try:
        if environment.domain_socket is not None:
            return _connect_domain(str(environment.domain_socket))
        host, _, port = environment.agent_endpoint.rpartition(":")
        sock = socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S)
    except OSError as error:
        raise failure(environment, f"cannot connect: {error}") from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _connect_domain(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(CONNECT_TIMEOUT_S)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def failure(environment: Environment, message: str) -> MesosFailure:
    """A MesosFailure whose subject is the agent."""
    return MesosFailure(message, subject=f"agent {environment.domain_socket or environment.agent_endpoint}")


class CallConnection(HTTPConnection):
    """The connection for everything but SUBSCRIBE, kept open between calls."""

    def __init__(self, environment: Environment) -> None:
        super().__init__("agent")
        self._environment = environment

    def connect(self) -> None:
        """As http.client calls it. Raises OSError."""
        self.sock = connect(self._environment)
        self.sock.settimeout(ANSWER_TIMEOUT_S)
