"""The commands' side of the control socket: finds the executors of this node and talks to one.

Answers are the executor's JSON, and have what commands need of them (answers.py); its errors come back as the errors
they were there (NotFound, Refused, ...), a socket without an answer as Unreachable. A time limit is for the whole
request: an answer that comes in small pieces does not extend it.
"""

from __future__ import annotations

import http.client
import json
import math
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from executor.cli.executors import answers
from executor.cli.exits import Forbidden, Unreachable
from executor.errors import ExecutorError, Failure, InvalidRequest, NotFound, Refused, reason
from executor.node.claims import SOCKET_SUFFIX

TIMEOUT_S: Final = 10.0
_ERRORS: Final[Mapping[int, type[ExecutorError]]] = {400: InvalidRequest, 404: NotFound, 409: Refused}


def segment(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")


@dataclass(frozen=True)
class Client:
    """One executor: `id` is its Mesos container's. Every method raises Unreachable or what the executor answered."""

    socket: Path

    @property
    def id(self) -> str:
        """The id of the executor's Mesos container."""
        return self.socket.name.removesuffix(SOCKET_SUFFIX)

    def get(self, path: str, *, timeout_s: float = TIMEOUT_S, **query: object) -> Any:
        """The answer's JSON. Raises Unreachable, or the error that the executor answers."""
        return self._json("GET", path, query, None, timeout_s)

    def put(self, path: str, body: object) -> Any:
        """As `get`, with a body."""
        return self._json("PUT", path, {}, body, TIMEOUT_S)

    def post(self, path: str, body: object, *, timeout_s: float | None, **query: object) -> Any:
        """`timeout_s` None waits for as long as the executor works on it."""
        return self._json("POST", path, query, body, timeout_s)

    def delete(self, path: str) -> Any:
        """As `get`."""
        return self._json("DELETE", path, {}, None, TIMEOUT_S)

    def stream(self, path: str, **query: object) -> Iterator[dict[str, Any]]:
        """Objects as they come, any time apart, until the executor ends the stream. It has TIMEOUT_S to begin it."""
        return self._lines("GET", path, {**query, "follow": "1"}, None)

    def session(self, path: str, body: object) -> Iterator[dict[str, Any]]:
        """As `stream`, for something that lasts as long as this iterator: closing it ends it."""
        return self._lines("POST", path, {}, body)

    def text(self, path: str, **query: object) -> str:
        """An answer that is not JSON."""
        connection = _Connection(self.socket, TIMEOUT_S)
        try:
            answer = self._ask(connection, "GET", path, query, None)
            _raise_for_status(answer, path)
            return answer.read().decode()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable("does not answer", error) from error
        finally:
            connection.close()

    def _lines(self, method: str, path: str, query: Mapping[str, object], body: object) -> Iterator[dict[str, Any]]:
        connection = _Connection(self.socket, TIMEOUT_S)
        try:
            answer = self._ask(connection, method, path, query, body)
            _raise_for_status(answer, path)
            connection.wait_forever()
            shape = answers.needed(answers.LINES, method, path)
            for line in answer:
                document = _document(line)
                answers.check(shape, document, self.id, f"{method} {path}")
                yield document
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable("the stream broke off", error) from error
        finally:
            connection.close()

    def _json(self, method: str, path: str, query: Mapping[str, object], body: object, timeout_s: float | None) -> Any:
        connection = _Connection(self.socket, timeout_s)
        try:
            answer = self._ask(connection, method, path, query, body)
            _raise_for_status(answer, path)
            document = _document(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable("does not answer", error) from error
        finally:
            connection.close()
        answers.check(answers.needed(answers.ANSWERS, method, path), document, self.id, f"{method} {path}")
        return document

    def _ask(
        self, connection: _Connection, method: str, path: str, query: Mapping[str, object], body: object
    ) -> http.client.HTTPResponse:
        target = f"{path}?{urlencode(query)}" if query else path
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, target, data, {"content-type": "application/json"} if data else {})
        return connection.getresponse()

    def _unreachable(self, message: str, error: Exception) -> Unreachable:
        subject = f"executor {self.id}"
        if isinstance(error, PermissionError):
            return Forbidden(f"cannot be asked: {reason(error)}", subject=subject, hint="run as root")
        hint = "is it alive? see its stderr in the Mesos sandbox"
        return Unreachable(f"{message}: {reason(error)}", subject=subject, hint=hint)


def clients(run_dir: Path) -> list[Client]:
    """The clients of every executor of this node, by id; those that died may still be among them.

    Raises Failure if the directory may not be read.
    """
    try:
        names = sorted(each.name for each in run_dir.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Failure(f"cannot be read: {reason(error)}", subject=str(run_dir), hint="run as root") from error
    sockets = [name for name in names if name.endswith(SOCKET_SUFFIX) and not name.startswith(".")]
    return [Client(run_dir / name) for name in sockets]


def is_dead(client: Client, timeout_s: float) -> bool:
    """No process listens: its executor died without removing the file."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(timeout_s)
        try:
            probe.connect(str(client.socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False


class _Connection(http.client.HTTPConnection):
    """`timeout_s` is for all of it, from now on; None for connecting only."""

    def __init__(self, path: Path, timeout_s: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._socket = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._deadline_s = math.inf if timeout_s is None else time.monotonic() + timeout_s

    def connect(self) -> None:
        self.sock = self._socket
        self._socket.deadline_s = min(self._deadline_s, time.monotonic() + TIMEOUT_S)
        self._socket.connect(str(self._path))
        self._socket.deadline_s = self._deadline_s

    def wait_forever(self) -> None:
        """There is no limit from now on. http.client has let go of the socket if the answer is its last one."""
        self._socket.deadline_s = math.inf

    def close(self) -> None:
        super().close()
        self._socket.close()


class _Socket(socket.socket):
    """All that is done with it has one deadline, by the monotonic clock; its own time limit is for one read each."""

    deadline_s = math.inf

    def connect(self, address: str) -> None:  # type: ignore[override] # a path only
        self._limit()
        super().connect(address)

    def sendall(self, *args: Any) -> None:
        self._limit()
        super().sendall(*args)

    def recv_into(self, *args: Any) -> int:
        self._limit()
        return super().recv_into(*args)

    def _limit(self) -> None:
        """Raises TimeoutError."""
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self.settimeout(None if math.isinf(left_s) else left_s)


def _raise_for_status(answer: http.client.HTTPResponse, path: str) -> None:
    if answer.status < 400:
        return
    found = _document(answer.read()).get("error")
    error = found if isinstance(found, dict) else {}
    message = str(error.get("message") or f"{answer.status} {answer.reason}")
    kind = _ERRORS.get(answer.status, Failure)
    raise kind(message, subject=str(error.get("subject") or path), hint=str(error.get("hint") or ""))


def _document(data: bytes) -> dict[str, Any]:
    """Raises ValueError for what is not a JSON object."""
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise ValueError("the answer nests too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"the answer is not a JSON object but {type(found).__name__}")  # noqa: TRY004 # of the peer
    return found
