"""What the Mesos agent tells its executor through the environment. Pure, but for `take`.

Source: docs/executor-http-api.md and src/executor/executor.cpp of Mesos 1.11. Invariant: the authentication token is
in no representation of the object.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from executor.duration import seconds
from executor.errors import InvalidConfig, InvalidInput
from executor.names import AgentId, ExecutorId, FrameworkId, MesosContainerId

TOKEN = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"  # noqa: S105 the variable's name
API_PATH = "/api/v1/executor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """`recovery_timeout_s` and `subscription_backoff_max_s` have the agent's defaults where it did not set them, as it
    does without checkpointing; `domain_socket` takes precedence over `agent_endpoint`.
    """

    framework_id: FrameworkId
    executor_id: ExecutorId
    agent_id: AgentId
    agent_endpoint: str
    sandbox: Path
    container_id: MesosContainerId
    checkpoint: bool = False
    shutdown_grace_s: float = 5.0
    recovery_timeout_s: float = 900.0
    subscription_backoff_max_s: float = 2.0
    domain_socket: Path | None = None
    api_path: str = API_PATH
    authentication_token: str = field(default="", repr=False)

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> Environment:
        """Raises InvalidConfig naming the variable that is missing or cannot be understood."""
        directory = _required(environ, "MESOS_DIRECTORY")
        socket = environ.get("MESOS_DOMAIN_SOCKET", "")
        return cls(
            framework_id=FrameworkId(_required(environ, "MESOS_FRAMEWORK_ID")),
            executor_id=ExecutorId(_required(environ, "MESOS_EXECUTOR_ID")),
            agent_id=AgentId(_required(environ, "MESOS_SLAVE_ID")),
            agent_endpoint=_endpoint(environ),
            sandbox=Path(environ.get("MESOS_SANDBOX") or directory),
            container_id=MesosContainerId(Path(directory).name),
            checkpoint=environ.get("MESOS_CHECKPOINT") == "1",
            shutdown_grace_s=_duration(environ, "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", 5.0),
            recovery_timeout_s=_duration(environ, "MESOS_RECOVERY_TIMEOUT", 900.0),
            subscription_backoff_max_s=_duration(environ, "MESOS_SUBSCRIPTION_BACKOFF_MAX", 2.0),
            domain_socket=Path(socket) if socket else None,
            api_path=_api_path(environ.get("MESOS_SLAVE_PID", "")),
            authentication_token=environ.get(TOKEN, ""),
        )

    @classmethod
    def take(cls, environ: MutableMapping[str, str]) -> Environment:
        """As `parse`, and removes the token, so that no child inherits it. Raises InvalidConfig."""
        environment = cls.parse(environ)
        environ.pop(TOKEN, None)
        return environment


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidConfig(
            "the environment lacks this variable", subject=name, hint="only a Mesos agent starts this program so"
        )
    return value


def _endpoint(environ: Mapping[str, str]) -> str:
    name = "MESOS_AGENT_ENDPOINT"
    endpoint = _required(environ, name)
    host, colon, port = endpoint.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 65536):
        raise InvalidConfig(f"{endpoint!r} is not host:port", subject=name)
    return endpoint


def _duration(environ: Mapping[str, str], name: str, default_s: float) -> float:
    text = environ.get(name, "")
    if not text:
        return default_s
    try:
        return seconds(text, subject=name)
    except InvalidInput as error:
        raise InvalidConfig(error.message, subject=name, hint="write a length of time such as 15mins") from error


def _api_path(agent_pid: str) -> str:
    """The executor API below the agent's libprocess id, as Mesos's own executors use it: one process may hold a master
    and several agents. `slave(1)@10.0.0.1:5051` gives `/slave(1)/api/v1/executor`.
    """
    process, at, _ = agent_pid.partition("@")
    return f"/{process}{API_PATH}" if at and process else API_PATH
