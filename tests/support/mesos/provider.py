"""Revocable resources from outside the agent: an HTTP resource provider (resource_provider.proto).

Needs nothing of the shim, so it shows what an operator can do with a stock agent. The resources keep a `provider_id`
all the way into a task. When the provider goes, its offers are rescinded and running tasks stay.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import threading
import uuid
from types import TracebackType
from typing import Self

from tests.support.mesos import messages
from tests.support.mesos.http import CallError, Message, Stream, call
from tests.support.mesos.server import wait_until

_PATH = "/api/v1/resource_provider"


class RevocableProvider:
    """Subscribed at an agent while in its `with` block. An agent with an estimator would overwrite what it offers."""

    def __init__(self, agent: str, **amounts: float) -> None:
        """`agent` is its endpoint; amounts as in `offer`."""
        self._agent, self._amounts = agent, amounts
        self._provider_id: Message = {}

    def __enter__(self) -> Self:
        info = {"type": "org.mesos-pod-executor.test", "name": f"revocable-{uuid.uuid4().hex[:8]}"}
        subscribe = {"type": "SUBSCRIBE", "subscribe": {"resource_provider_info": info}}
        self._stream = Stream(self._agent, _PATH, subscribe)
        self._thread = threading.Thread(target=self._read, name="resource provider", daemon=True)
        self._thread.start()
        wait_until(lambda: bool(self._provider_id), 10.0, lambda: "the agent did not subscribe the resource provider")
        self.offer(**self._amounts)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._thread.join(10)

    def offer(self, **amounts: float) -> None:
        """What there is from now on: `cpus` in cores, `mem` and `disk` in MB; none takes all back."""
        offered = [messages.scalar(name, value, revocable=True) for name, value in amounts.items()]
        resources = [resource | {"provider_id": self._provider_id} for resource in offered]
        version = {"value": base64.b64encode(uuid.uuid4().bytes).decode()}
        body = {"operations": [], "resources": resources, "resource_version_uuid": version}
        self._call("UPDATE_STATE", body)

    def _read(self) -> None:
        for event in self._stream:
            if event["type"] == "SUBSCRIBED":
                self._provider_id = event["subscribed"]["provider_id"]
            elif event["type"] == "PUBLISH_RESOURCES":  # without an answer the agent destroys the container
                answer = {"uuid": event["publish_resources"]["uuid"], "status": "OK"}
                with contextlib.suppress(OSError, http.client.HTTPException, CallError):
                    self._call("UPDATE_PUBLISH_RESOURCES_STATUS", answer)

    def _call(self, kind: str, body: Message) -> None:
        message = {"type": kind, "resource_provider_id": self._provider_id, kind.lower(): body}
        call(self._agent, _PATH, message, self._stream.headers)
