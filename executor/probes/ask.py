"""One question to a container, in each way that a probe or a hook can ask."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from executor.errors import TimedOut, clipped
from executor.probes import http, tcp
from executor.probes.sockets import Place, Sockets, why
from executor.probes.spacing import COMMAND_GAP_S, GAP_S, Spacing
from executor.probes.state import Result
from executor.spec.probes import Action, Exec, Grpc, HttpGet, TcpSocket

if TYPE_CHECKING:
    from executor.exec.run import Result as Ended

LOOPBACK: Final = "127.0.0.1"
_SHOWN: Final = 200


@dataclass(frozen=True)
class Reach:
    """How one container is reached."""

    addresses: Callable[[], Sequence[str]]
    """The addresses of its pod, the first one first; none: only its loopback."""
    open_namespace: Callable[[], int]
    """A descriptor of its network namespace, which becomes the caller's. Raises OSError."""
    run: Callable[[Exec, float | None], Awaitable[Ended]]
    """A command in it, killed at the time limit. Raises TimedOut then, and ExecutorError for one that cannot run."""
    runs: Callable[[], bool]
    """Whether it runs still, so that a failure says something about it."""


@dataclass(frozen=True)
class Means:
    """What the probes of all pods share."""

    sockets: Sockets = field(default_factory=Sockets)
    spacing: Spacing = field(default_factory=lambda: Spacing(GAP_S))
    command_spacing: Spacing = field(default_factory=lambda: Spacing(COMMAND_GAP_S))
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Questions by kind of probe and result: passed, failed, error."""

    def close(self) -> None:
        """End the thread of the sockets."""
        self.sockets.close()


async def ask(action: Action, timeout_s: float | None, reach: Reach, means: Means) -> Result:
    """Raises ExecutorError for a question that could not be asked, which says nothing about the container."""
    await (means.command_spacing if isinstance(action, Exec) else means.spacing).wait()
    try:
        if isinstance(action, Exec):
            return _of_command(await reach.run(action, timeout_s))
        async with asyncio.timeout(timeout_s):
            return await _through_network(action, reach, means.sockets)
    except (TimeoutError, TimedOut):
        return Result(ok=False, message=f"no answer within {timeout_s:g} s")
    except OSError as error:  # of the namespace: it goes with the container
        return Result(ok=False, message=f"its network cannot be entered: {why(error)}")


async def _through_network(action: HttpGet | TcpSocket | Grpc, reach: Reach, sockets: Sockets) -> Result:
    found = place(action, reach)
    match action:
        case HttpGet():
            return await http.get(found, action, sockets)
        case TcpSocket():
            return await tcp.probe(found, sockets)
        case Grpc():
            from executor.probes import grpc_health

            return await grpc_health.probe(found, action, sockets)


def place(action: HttpGet | TcpSocket | Grpc, reach: Reach) -> Place:
    """A loopback address is the pod's own, never the executor's."""
    host = "" if isinstance(action, Grpc) else action.loopback or action.host
    host = host or next(iter(reach.addresses()), LOOPBACK)
    own = _is_loopback(host)
    return Place(_loopback(host) if own else host, action.port, reach.open_namespace if own else None)


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _loopback(host: str) -> str:
    return host if host[0].isdigit() or ":" in host else LOOPBACK


def _of_command(ended: Ended) -> Result:
    if ended.exit_code == 0:
        return Result(ok=True, value=0)
    said = f": {clipped(ended.output.strip(), _SHOWN)}" if ended.output.strip() else ""
    return Result(ok=False, message=f"the command exited with status {ended.exit_code}{said}", value=ended.exit_code)
