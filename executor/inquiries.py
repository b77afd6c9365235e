"""What the control socket tells beside the state of things: what a revocation would do, and what happened to a task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from executor.control import Request, Response, Routes
from executor.errors import NotFound
from executor.journal import read
from executor.revocation.rehearsal import rehearse
from executor.timeline import timeline

if TYPE_CHECKING:
    from executor.dispatcher import Dispatcher


def routes(dispatcher: Dispatcher) -> Routes:
    answers = _Answers(dispatcher)
    return {
        ("POST", "/v1/rehearsals"): answers.rehearse,
        ("GET", "/v1/timelines/{task}"): answers.timeline,
    }


class _Answers:
    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def rehearse(self, request: Request) -> Response:
        return Response(await rehearse(self._dispatcher.revoker, request.body))

    async def timeline(self, request: Request) -> Response:
        """From the files, which reach further back than what is kept in memory."""
        task = request.parameters["task"]
        sandbox = self._dispatcher.environment.sandbox
        events = await asyncio.to_thread(lambda: timeline(read(sandbox), task))
        if not events:
            raise NotFound("the journal knows no such task", subject=f"task {task}")
        return Response({"task": task, "events": events})
