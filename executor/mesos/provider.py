"""A resource provider of a Mesos agent, over HTTP (include/mesos/v1/resource_provider/resource_provider.proto).

The agent opens no connection: one stream brings its events, and each call is a request of its own. Blocking. `events`
belongs to one thread; `offer` may be called from another one. A stream that ends takes the provider's resources out of
all offers; tasks that use them stay.
"""

from __future__ import annotations

import base64
import http.client
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final

from executor import bounded_json
from executor.errors import MesosFailure, NotFound, reason
from executor.mesos.recordio import Records

PATH: Final = "/api/v1/resource_provider"
TYPE: Final = "org.mesos-pod-executor.lending"
NAME: Final = "lending"
CALL_S: Final = 5.0
_EVENT_MAX_BYTES: Final = 4 << 20
_EVENT: Final = bounded_json.Bounds(_EVENT_MAX_BYTES, values=100_000)


class UnknownProvider(NotFound):
    """The agent does not know the provider's id: it has another work directory than before."""


class Provider:
    """`endpoint` is the agent's `host:port`. `id` is empty until the agent gave one."""

    def __init__(self, endpoint: str, authorization: str = "", identity: str = "") -> None:
        self.endpoint = endpoint
        self.kind = TYPE
        self.id = identity
        self._stream_id = ""
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            self._headers["Authorization"] = authorization

    def events(self) -> Iterator[str]:
        """Subscribes, under the provider's id if it has one, and yields the type of each event; SUBSCRIBED comes
        first. A launch on its resources is answered here. Ends in MesosFailure, or in UnknownProvider.

        No other stream of the provider may be open: an agent of Mesos 1.11 that gets a second SUBSCRIBE forgets the
        provider and aborts at its next UPDATE_STATE (src/slave/slave.cpp, CHECK of resourceProvider).
        """
        info = {"type": TYPE, "name": NAME} | ({"id": {"value": self.id}} if self.id else {})
        connection = http.client.HTTPConnection(self.endpoint, timeout=CALL_S)
        subscribed = False
        try:
            body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"resource_provider_info": info}})
            connection.request("POST", PATH, body, self._headers)
            sock = connection.sock
            response = connection.getresponse()
            if response.status != 200:
                raise self._refused("SUBSCRIBE", response)
            self._stream_id = response.getheader("Mesos-Stream-Id", "")
            if sock is not None:
                sock.settimeout(None)
            records = Records(_EVENT_MAX_BYTES, hint="launch less at once")
            while data := response.read1(1 << 16):
                for record in records.feed(data):
                    subscribed = True
                    yield self._event(record)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            raise self._lost(error) from error
        finally:
            connection.close()
        if self.id and not subscribed:
            raise UnknownProvider(f"does not know the provider {self.id}", subject=self.endpoint)
        raise MesosFailure("the agent ended the stream", subject=self.endpoint)

    def offer(self, *, cpus: float, mem_mib: int) -> None:
        """The revocable resources that there are in total from now on, in use or not. Raises MesosFailure."""
        resources = [_revocable("cpus", cpus), _revocable("mem", mem_mib)]
        version = {"value": base64.b64encode(uuid.uuid4().bytes).decode()}
        body = {
            "operations": [],
            "resources": [each | {"provider_id": {"value": self.id}} for each in resources if each["scalar"]["value"]],
            "resource_version_uuid": version,
        }
        self._call("UPDATE_STATE", body)

    def _event(self, record: bytes) -> str:
        event = bounded_json.loads(record, _EVENT)
        kind = str(event["type"]) if isinstance(event, dict) and "type" in event else ""
        if kind == "SUBSCRIBED":
            self.id = str(event["subscribed"]["provider_id"]["value"])
        elif kind == "PUBLISH_RESOURCES":
            # Never refused: the agent would destroy the executor, with the regular pods in it.
            answer = {"uuid": event["publish_resources"]["uuid"], "status": "OK"}
            self._call("UPDATE_PUBLISH_RESOURCES_STATUS", answer)
        return kind

    def _call(self, kind: str, body: Mapping[str, Any]) -> None:
        message = {"type": kind, "resource_provider_id": {"value": self.id}, kind.lower(): body}
        headers = {**self._headers, "Mesos-Stream-Id": self._stream_id} if self._stream_id else self._headers
        connection = http.client.HTTPConnection(self.endpoint, timeout=CALL_S)
        try:
            connection.request("POST", PATH, json.dumps(message), headers)
            response = connection.getresponse()
            if response.status not in (200, 202):
                raise self._refused(kind, response)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        finally:
            connection.close()

    def _refused(self, kind: str, response: http.client.HTTPResponse) -> MesosFailure:
        text = response.read(500).decode(errors="replace").strip()
        hint = "[lending] credential_file" if response.status in (401, 403) else ""
        message = f"{kind} was answered with HTTP {response.status}: {text}"
        return MesosFailure(message, subject=self.endpoint, hint=hint)

    def _lost(self, error: Exception) -> MesosFailure:
        return MesosFailure(f"does not answer: {reason(error)}", subject=self.endpoint, hint="see [lending] agent")


def _revocable(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, "revocable": {}}
