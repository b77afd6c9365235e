"""Mesos' v1 operator API over HTTP (docs/operator-http-api.md): a state, or a master's stream of events. Blocking.

The synchroniser is a process of its own that does one thing at a time, so nothing here is asynchronous. A master that
does not lead points to the one that does. Every failure is a MesosFailure.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from executor.errors import Failure, InvalidConfig, MesosFailure
from executor.mesos.operator import holdings, messages
from executor.mesos.recordio import Records

T = TypeVar("T")
CONNECT_S = 5.0
SILENCE_S = 45.0
"""A master sends a heartbeat every 15 s."""
RECORD_MAX_BYTES = 512 << 20
REDIRECTS_MAX = 3
PATH = "/api/v1"


class NotAMaster(MesosFailure):
    """The endpoint speaks the operator API, but has no stream of events: it is an agent's."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the configuration that messages name."""

    endpoint: str = "[dns] mesos"
    credential: str = "[dns] credential_file"


DNS_KEYS: Final = Keys()


class Operator:
    """`endpoint` is `host:port` or a URL with http or https. Raises InvalidConfig if it is neither."""

    def __init__(self, endpoint: str, authorization: str = "", keys: Keys = DNS_KEYS) -> None:
        self.endpoint = endpoint
        self._keys = keys
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization
        self._connection(endpoint)

    def state(self) -> messages.State:
        """GET_STATE of a master or an agent. Raises MesosFailure."""
        return messages.state(self._read("GET_STATE"))

    def containers(self) -> frozenset[str]:
        """The ids of all containers of an agent. Raises MesosFailure."""
        return messages.containers(self._read("GET_CONTAINERS", show_nested=True, show_standalone=True))

    def held(self) -> holdings.State:
        """What an agent's tasks and executors hold. Raises MesosFailure."""
        return holdings.state(self._read("GET_STATE"))

    def use(self) -> tuple[holdings.Container, ...]:
        """What the containers of an agent's executors use. Raises MesosFailure."""
        return holdings.containers(self._read("GET_CONTAINERS", show_nested=False, show_standalone=False))

    def providers(self) -> tuple[holdings.ProviderInfo, ...]:
        """The resource providers that are subscribed at an agent. Raises MesosFailure."""
        return holdings.providers(self._read("GET_RESOURCE_PROVIDERS"))

    def agent(self) -> holdings.AgentState:
        """An agent's id and resources. Raises MesosFailure."""
        connection = self._connection(self.endpoint)
        try:
            connection.request("GET", "/state", headers=self._headers)
            response = connection.getresponse()
            data = response.read(RECORD_MAX_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(self.endpoint, error) from error
        finally:
            connection.close()
        if response.status in (307, 308) or (response.status == 200 and holdings.is_master(data)):
            hint = f"{self._keys.endpoint} is the agent of this node, as in 10.0.0.1:5051"
            raise MesosFailure("is a master, and no agent", subject=self.endpoint, hint=hint)
        if response.status != 200:
            raise self._refused("GET /state", self.endpoint, response.status, data[:500].decode(errors="replace"))
        return holdings.agent(data)

    def _read(self, kind: str, **options: bool) -> bytes:
        connection, response = self._post(kind, **options)
        try:
            return response.read(RECORD_MAX_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(self.endpoint, error) from error
        finally:
            connection.close()

    def subscribe(self) -> Iterator[messages.Event]:
        """A master's events; the first has its whole state. Raises NotAMaster at once for an agent; the iteration
        ends in MesosFailure.
        """
        return self.events(messages.event)

    def events(self, decode: Callable[[bytes], T]) -> Iterator[T]:
        """As `subscribe`, with what `decode` makes of each record."""
        connection, response = self._post("SUBSCRIBE")
        return self._events(connection, response, decode)

    def _events(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        decode: Callable[[bytes], T],
    ) -> Iterator[T]:
        try:
            if connection.sock is not None:
                connection.sock.settimeout(SILENCE_S)
            records = Records(RECORD_MAX_BYTES, hint=f"use an agent as {self._keys.endpoint}")
            while data := response.read1(1 << 16):
                yield from map(decode, records.feed(data))
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(self.endpoint, error) from error
        finally:
            response.close()
            connection.close()
        raise MesosFailure("the master ended the stream", subject=self.endpoint)

    def _post(self, kind: str, **options: bool) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        endpoint = self.endpoint
        text = json.dumps({"type": kind} | ({kind.lower(): options} if options else {}))
        for _ in range(REDIRECTS_MAX):
            connection = self._connection(endpoint)
            try:
                connection.request("POST", PATH, text, self._headers)
                response = connection.getresponse()
                if response.status == 200:
                    return connection, response
                said = response.read(500).decode(errors="replace").strip()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._lost(endpoint, error) from error
            connection.close()
            if response.status not in (307, 308):
                raise self._refused(kind, endpoint, response.status, said)
            endpoint = _leader(endpoint, response.getheader("Location", ""))
        raise MesosFailure("points from one master to the next", subject=self.endpoint, hint="is there a leader?")

    def _connection(self, endpoint: str) -> http.client.HTTPConnection:
        url = urlsplit(endpoint if "//" in endpoint else f"//{endpoint}", scheme="http")
        try:
            host, port = url.hostname, url.port
        except ValueError:
            host, port = None, None
        if not host or not port or url.scheme not in ("http", "https"):
            subject = f"{self._keys.endpoint}: {endpoint}"
            raise InvalidConfig("is not a host:port", subject=subject, hint="as in 10.0.0.1:5050")
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        return kind(host, port, timeout=CONNECT_S)

    def _refused(self, kind: str, endpoint: str, status: int, text: str) -> MesosFailure:
        if kind == "SUBSCRIBE" and status in (400, 404, 501):
            return NotAMaster("is not a master", subject=endpoint)
        hint = f"give a principal that may view tasks in {self._keys.credential}" if status in (401, 403) else ""
        return MesosFailure(f"{kind} was answered with HTTP {status}: {text}", subject=endpoint, hint=hint)

    def _lost(self, endpoint: str, error: Exception) -> MesosFailure:
        problem = f"does not answer: {error or type(error).__name__}"
        return MesosFailure(problem, subject=endpoint, hint=f"see {self._keys.endpoint}")


def credential(path: Path, key: str = DNS_KEYS.credential) -> str:
    """The Authorization header of a credential file, one line `principal secret`; empty if there is no file. Raises
    InvalidConfig, Failure.
    """
    try:
        words = path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"cannot be read: {error}", subject=str(path), hint=key) from error
    if len(words) != 2:
        raise InvalidConfig("is not one line, principal and secret", subject=str(path), hint=key)
    return basic(*words)


def basic(principal: str, secret: str) -> str:
    """The Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()


def _leader(endpoint: str, location: str) -> str:
    """Mesos' Location has no scheme: `//10.0.0.2:5050/api/v1`."""
    url = urlsplit(location)
    scheme = url.scheme or ("https" if endpoint.startswith("https:") else "http")
    if not url.netloc:
        raise MesosFailure("knows no leader", subject=endpoint, hint="is there a leading master?")
    return f"{scheme}://{url.netloc}"
