"""Mesos' v1 operator API over HTTP (docs/operator-http-api.md): a state, or a master's stream of events. Blocking.

The synchroniser is a process of its own that does one thing at a time, so nothing here is asynchronous. A master that
does not lead points to the one that does. Every failure is a MesosFailure.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from executor.errors import Failure, InvalidConfig, MesosFailure
from executor.mesos.operator import messages
from executor.mesos.recordio import Records

CONNECT_S = 5.0
SILENCE_S = 45.0
"""A master sends a heartbeat every 15 s."""
RECORD_MAX_BYTES = 512 << 20
REDIRECTS_MAX = 3
PATH = "/api/v1"


class NotAMaster(MesosFailure):
    """The endpoint speaks the operator API, but has no stream of events: it is an agent's."""


class Operator:
    """`endpoint` is `host:port` or a URL with http or https. Raises InvalidConfig if it is neither."""

    def __init__(self, endpoint: str, authorization: str = "") -> None:
        self.endpoint = endpoint
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization
        _connection(endpoint)

    def state(self) -> messages.State:
        """GET_STATE of a master or an agent. Raises MesosFailure."""
        return messages.state(self._read("GET_STATE"))

    def containers(self) -> frozenset[str]:
        """The ids of all containers of an agent. Raises MesosFailure."""
        return messages.containers(self._read("GET_CONTAINERS", show_nested=True, show_standalone=True))

    def _read(self, kind: str, **options: bool) -> bytes:
        connection, response = self._post(kind, **options)
        try:
            return response.read(RECORD_MAX_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _lost(self.endpoint, error) from error
        finally:
            connection.close()

    def subscribe(self) -> Iterator[messages.Event]:
        """A master's events; the first has its whole state. Raises NotAMaster at once for an agent; the iteration
        ends in MesosFailure.
        """
        connection, response = self._post("SUBSCRIBE")
        return self._events(connection, response)

    def _events(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> Iterator[messages.Event]:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(SILENCE_S)
            records = Records(RECORD_MAX_BYTES, hint="use an agent as [dns] mesos")
            while data := response.read1(1 << 16):
                yield from map(messages.event, records.feed(data))
        except (OSError, http.client.HTTPException) as error:
            raise _lost(self.endpoint, error) from error
        finally:
            response.close()
            connection.close()
        raise MesosFailure("the master ended the stream", subject=self.endpoint)

    def _post(self, kind: str, **options: bool) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        endpoint = self.endpoint
        text = json.dumps({"type": kind} | ({kind.lower(): options} if options else {}))
        for _ in range(REDIRECTS_MAX):
            connection = _connection(endpoint)
            try:
                connection.request("POST", PATH, text, self._headers)
                response = connection.getresponse()
                if response.status == 200:
                    return connection, response
                said = response.read(500).decode(errors="replace").strip()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise _lost(endpoint, error) from error
            connection.close()
            if response.status not in (307, 308):
                raise _refused(kind, endpoint, response.status, said)
            endpoint = _leader(endpoint, response.getheader("Location", ""))
        raise MesosFailure("points from one master to the next", subject=self.endpoint, hint="is there a leader?")


def credential(path: Path) -> str:
    """The Authorization header of a credential file, one line `principal secret`; empty if there is no file. Raises
    InvalidConfig, Failure.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot be read: {error}", subject=str(path), hint="[dns] credential_file") from error
    if len(words) != 2:
        raise InvalidConfig("is not one line, principal and secret", subject=str(path), hint="[dns] credential_file")
    return "Basic " + base64.b64encode(":".join(words).encode()).decode()


def _connection(endpoint: str) -> http.client.HTTPConnection:
    url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}", scheme="http")
    try:
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if not host or not port or url.scheme not in ("http", "https"):
        raise InvalidConfig("is no host:port", subject=f"[dns] mesos: {endpoint}", hint="as in 10.0.0.1:5050")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(host, port, timeout=CONNECT_S)


def _leader(endpoint: str, location: str) -> str:
    """Mesos' Location has no scheme: `//10.0.0.2:5050/api/v1`."""
    url = urlsplit(location)
    scheme = url.scheme or ("https" if endpoint.startswith("https:") else "http")
    if not url.netloc:
        raise MesosFailure("knows no leader", subject=endpoint, hint="is there a leading master?")
    return f"{scheme}://{url.netloc}"


def _refused(kind: str, endpoint: str, status: int, text: str) -> MesosFailure:
    if kind == "SUBSCRIBE" and status in (400, 404, 501):
        return NotAMaster("is no master", subject=endpoint)
    hint = "give a principal that may view tasks in [dns] credential_file" if status in (401, 403) else ""
    return MesosFailure(f"{kind} was answered with HTTP {status}: {text}", subject=endpoint, hint=hint)


def _lost(endpoint: str, error: Exception) -> MesosFailure:
    return MesosFailure(f"does not answer: {error or type(error).__name__}", subject=endpoint, hint="see [dns] mesos")
