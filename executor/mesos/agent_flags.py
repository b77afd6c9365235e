"""The flags of a Mesos agent, over HTTP (docs/endpoints/slave/flags.md). Blocking."""

from __future__ import annotations

import email.utils
import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from executor.errors import MesosFailure, reason

_TIMEOUT_S = 3.0


@dataclass(frozen=True)
class AgentFlags:
    """`skew_s` is the agent's clock minus this node's clock, in seconds; None if the agent sends no date."""

    flags: Mapping[str, str]
    skew_s: float | None


def read(endpoint: str, authorization: str = "") -> AgentFlags:
    """GET /flags of `host:port`. Raises MesosFailure."""
    connection = http.client.HTTPConnection(endpoint, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/flags", headers={"Authorization": authorization} if authorization else {})
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            hint = "[dns] credential_file" if response.status in (401, 403) else ""
            raise MesosFailure(f"answers {response.status}", subject=f"{endpoint}/flags", hint=hint)
        date = email.utils.parsedate_to_datetime(response.getheader("Date", "")) if response.getheader("Date") else None
        skew_s = None if date is None else date.timestamp() - time.time()
        return AgentFlags({key: str(value) for key, value in json.loads(text)["flags"].items()}, skew_s)
    except (OSError, http.client.HTTPException, ValueError, KeyError, AttributeError) as error:
        why = reason(error)
        raise MesosFailure(f"cannot be asked: {why}", subject=f"{endpoint}/flags") from error
    finally:
        connection.close()
