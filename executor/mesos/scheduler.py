"""A framework of Mesos' v1 scheduler API, over HTTP (docs/scheduler-http-api.md), and the files that an agent serves.

Blocking. `events` belongs to one thread; `call` may be called from another one. A master that does not lead points to
the one that does. Every failure is a MesosFailure.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from executor import bounded_json
from executor.errors import MesosFailure, NotFound, reason
from executor.mesos import offers
from executor.mesos.recordio import Records

Json = dict[str, Any]
PATH: Final = "/api/v1/scheduler"
AGENT_PATH: Final = "/api/v1"
CONNECT_S: Final = 5.0
SILENCE_S: Final = 45.0
"""A master sends a heartbeat every 15 s."""
REDIRECTS_MAX: Final = 3
READ_MAX_BYTES: Final = 256 << 10
_EVENT_MAX_BYTES: Final = 64 << 20
_EVENT: Final = bounded_json.Bounds(_EVENT_MAX_BYTES, values=5_000_000)
"""Offers of a large cluster come in one event."""
_ANSWER: Final = bounded_json.Bounds(4 << 20, values=100_000)


class Disallowed(MesosFailure):
    """The master does not let this principal do it, or not in this role."""


class Framework:
    """`info` is a FrameworkInfo, which gets its id; `master` is the `host:port` of any master, then of the leader."""

    def __init__(self, master: str, info: Json, authorization: str = "") -> None:
        self.master = master
        self.info = info
        self._stream_id = ""
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization

    @property
    def id(self) -> str:
        """Empty before the first subscription."""
        return str(self.info.get("id", {}).get("value", ""))

    def events(self) -> Iterator[Json]:
        """Subscribes, under the framework's id if it has one, and yields each event; SUBSCRIBED comes first. Ends in
        MesosFailure.
        """
        message: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self.info}}
        if self.id:
            message["framework_id"] = self.info["id"]
        connection, response = self._lead(message)
        try:
            if connection.sock is not None:
                connection.sock.settimeout(SILENCE_S)
            self._stream_id = response.getheader("Mesos-Stream-Id", "")
            records = Records(_EVENT_MAX_BYTES, hint="ask for a role with fewer offers")
            while data := response.read1(1 << 16):
                for record in records.feed(data):
                    event = bounded_json.loads(record, _EVENT)
                    if event["type"] == "SUBSCRIBED":
                        self.info = {**self.info, "id": event["subscribed"]["framework_id"]}
                    yield event
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise _lost(self.master, error) from error
        finally:
            connection.close()
        raise MesosFailure("the master ended the stream", subject=self.master)

    def _lead(self, message: Json) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """The leader's answer to SUBSCRIBE; `master` is the leader from then on."""
        for _ in range(REDIRECTS_MAX):
            connection, response = _post(self.master, PATH, message, self._headers)
            if response.status == 200:
                return connection, response
            try:
                if response.status not in (307, 308):
                    raise _refused("SUBSCRIBE", self.master, response)
                location = urlsplit(response.getheader("Location", "")).netloc
                if not location:
                    raise MesosFailure("knows no leader", subject=self.master, hint="is there a leading master?")
                self.master = location
            finally:
                connection.close()
        raise MesosFailure("points from one master to the next", subject=self.master, hint="is there a leader?")

    def call(self, kind: str, body: Mapping[str, Any] | None = None) -> None:
        """One call of the API by its type. Raises MesosFailure."""
        message: Json = {"type": kind, "framework_id": {"value": self.id}}
        if body is not None:
            message[kind.lower()] = dict(body)
        headers = {**self._headers, "Mesos-Stream-Id": self._stream_id}
        connection, response = _post(self.master, PATH, message, headers)
        try:
            if response.status not in (200, 202):
                raise _refused(kind, self.master, response)
        finally:
            connection.close()

    def volumes(self, role: str) -> frozenset[str]:
        """The ids of the persistent volumes that this role has on any agent. Raises MesosFailure."""
        connection, response = _post(self.master, AGENT_PATH, {"type": "GET_AGENTS"}, self._headers)
        try:
            if response.status != 200:
                raise _refused("GET_AGENTS", self.master, response)
            answer = bounded_json.loads(response.read(_EVENT.size_bytes), _EVENT)
            agents = answer["get_agents"].get("agents", ())
            found = [each for agent in agents for each in agent.get("total_resources", ())]
            own = [each for each in found if each.get("reservations", [{}])[-1].get("role") == role]
            return frozenset(filter(None, map(offers.volume_id, own)))
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, IndexError) as error:
            raise _lost(self.master, error) from error
        finally:
            connection.close()


@dataclass(frozen=True)
class AgentFiles:
    """What the agent at `endpoint` serves of its executors' sandboxes (LIST_FILES, READ_FILE)."""

    endpoint: str
    authorization: str = ""

    def names(self, directory: str) -> tuple[str, ...]:
        """The paths in it. Raises NotFound, MesosFailure."""
        found = self._call("LIST_FILES", {"path": directory})["list_files"]
        return tuple(str(each["path"]) for each in found.get("file_infos", ()))

    def read(self, path: str, offset: int) -> bytes:
        """At most READ_MAX_BYTES from `offset` on. Raises NotFound, MesosFailure."""
        found = self._call("READ_FILE", {"path": path, "offset": offset, "length": READ_MAX_BYTES})
        return base64.b64decode(found["read_file"].get("data", ""))

    def size(self, path: str) -> int:
        """In bytes. Raises NotFound, MesosFailure."""
        return int(self._call("READ_FILE", {"path": path, "offset": 0, "length": 0})["read_file"]["size"])

    def _call(self, kind: str, body: Json) -> Json:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.authorization:
            headers["Authorization"] = self.authorization
        connection, response = _post(self.endpoint, AGENT_PATH, {"type": kind, kind.lower(): body}, headers)
        try:
            if response.status == 404:
                raise NotFound("is not there", subject=str(body["path"]))
            if response.status != 200:
                raise _refused(kind, self.endpoint, response)
            answer: Json = bounded_json.loads(response.read(_ANSWER.size_bytes), _ANSWER)
            return answer
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise _lost(self.endpoint, error) from error
        finally:
            connection.close()


def _post(
    endpoint: str, path: str, message: Json, headers: Mapping[str, str]
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(endpoint, timeout=CONNECT_S)
    try:
        connection.request("POST", path, json.dumps(message), dict(headers))
        return connection, connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise _lost(endpoint, error) from error


def _refused(kind: str, endpoint: str, response: http.client.HTTPResponse) -> MesosFailure:
    text = response.read(500).decode(errors="replace").strip()
    message = f"{kind} was answered with HTTP {response.status}: {text}"
    if response.status in (401, 403):
        return Disallowed(message, subject=endpoint, hint="--principal and --secret-file")
    is_other = response.status == 404 or "agent::Call" in text  # an agent reads each call as one of its own
    hint = "is it a master of Mesos 1.x, such as 10.0.0.1:5050? This may be an agent" if is_other else ""
    return MesosFailure(message, subject=endpoint, hint=hint)


def _lost(endpoint: str, error: Exception) -> MesosFailure:
    return MesosFailure(f"does not answer: {reason(error)}", subject=endpoint)
