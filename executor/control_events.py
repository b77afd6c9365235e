"""Routes that every executor has, for the log and its events: `GET /v1/events`, `PUT /v1/log`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from executor import log
from executor.control_http import Request, Response, Stream
from executor.errors import InvalidRequest
from executor.journal import Journal


def event_routes(journal: Journal) -> dict[tuple[str, str], Any]:
    """To be merged into the table of the control server."""

    async def events(request: Request) -> Stream:
        """Events above `since` (default 0: all that are kept), and with `follow=1` those to come."""
        since = _number(request.query.get("since", "0"))
        return Stream(journal.follow(since) if request.query.get("follow") == "1" else _kept(journal, since))

    async def set_level(request: Request) -> Response:
        """Body `{"level": "debug"}`; answers the level now and before."""
        body = request.body if isinstance(request.body, Mapping) else {}
        before, wanted = log.level(), body.get("level")
        if wanted not in log.LEVELS:
            raise InvalidRequest("is not a level", subject="level", mend=f"use one of {', '.join(log.LEVELS)}")
        log.set_level(wanted)
        _log.info("the log level was changed", code="log.level", previous=before, state=wanted, pid=request.peer.pid)
        return Response({"level": wanted, "previous": before})

    return {("GET", "/v1/events"): events, ("PUT", "/v1/log"): set_level}


_log = log.get_logger(__name__)


async def _kept(journal: Journal, since: int) -> AsyncGenerator[Mapping[str, Any], None]:
    for event in journal.events(since):
        yield event


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidRequest(f"{text!r} is not an event's number", subject="since", mend="use a seq of an event, or 0")
    return int(text)
