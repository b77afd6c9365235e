"""The control socket: how the commands of the same program ask and tell this executor.

`routes` has a table, `(method, pattern) -> handler`; a pattern's `{name}` takes one part of the path.
A handler returns a Response or a Stream, or raises: InvalidInput 400, NotFound 404, Refused 409, Failure 503;
anything else is a defect, 500 and one ERROR line. Only root and the executor's own user are answered. Owns: the
socket file and its connections.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

from executor import exhausted
from executor.control import socket as control_socket
from executor.control.http import Connection, Limits, Request, Response, Stream, failure
from executor.errors import ExecutorError, Failure, InvalidInput, NotFound, Refused
from executor.log import get_logger
from executor.node.claims import SOCKET_SUFFIX

__all__ = ["Handler", "Limits", "Request", "Response", "Routes", "Server", "Stream", "socket_path"]

Handler = Callable[[Request], Awaitable[Response | Stream]]
Routes = Mapping[tuple[str, str], Handler]

_log = get_logger(__name__)
_STATUS: Final = ((InvalidInput, 400), (NotFound, 404), (Refused, 409), (Failure, 503))
_CLOSE_TIMEOUT_S: Final = 2.0


def socket_path(run_dir: str | Path, mesos_container_id: str) -> Path:
    """The path of the control socket of the executor in this Mesos container."""
    return Path(run_dir) / f"{mesos_container_id}{SOCKET_SUFFIX}"


class Server:
    """`start` listens; `close` ends every connection and removes the socket. Also an async context manager."""

    def __init__(self, path: Path, routes: Routes, *, limits: Limits | None = None) -> None:
        self._path = path
        self._routes = [(method, tuple(pattern.split("/")), handler) for (method, pattern), handler in routes.items()]
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._served = 0

    async def start(self) -> None:
        """Raises what `control_socket.listen` raises."""
        listener = control_socket.listen(self._path)
        self._inode = control_socket.inode(self._path)
        self._server = await asyncio.start_unix_server(self._connected, sock=listener)
        _log.info("the control socket listens", code="control.listening", path=str(self._path))

    async def close(self) -> None:
        """End every connection and remove the socket; a second call does nothing."""
        if self._server is None:
            return
        self._server.close()
        control_socket.remove(self._path, inode_then=self._inode)
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_CLOSE_TIMEOUT_S)
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = control_socket.peer_of(writer.get_extra_info("socket"))
        connection = Connection(reader, writer, peer, self._limits)
        if peer.uid not in (0, os.geteuid()):
            _log.warning("a user without the right to it", code="control.refused_peer", uid=peer.uid, pid=peer.pid)
            await connection.refuse(403, "the control socket answers root only")
        elif self._served >= self._limits.connections:
            _log.warning("too many connections", code="control.crowded", count=self._limits.connections, pid=peer.pid)
            await connection.refuse(503, f"all {self._limits.connections} connections are taken")
        else:
            await self._run(connection)

    async def _run(self, connection: Connection) -> None:
        self._served += 1
        try:
            await connection.run(self._answer)
        except Exception as error:  # noqa: BLE001 - the boundary of a connection; its client sees no end mark
            _log.exception("a connection failed", code="control.bug", error=error)
        finally:
            self._served -= 1

    async def _answer(self, request: Request) -> Response | Stream:
        started = time.monotonic()
        answer = await self._handle(request)
        if request.method != "GET":
            _log.info(
                "a command was handled",
                code="control.request",
                method=request.method,
                path=request.path,
                status=answer.status if isinstance(answer, Response) else 200,
                duration_ms=round((time.monotonic() - started) * 1000, 1),
                pid=request.peer.pid,
                uid=request.peer.uid,
            )
        return answer

    async def _handle(self, request: Request) -> Response | Stream:
        try:
            handler, parameters = self._route(request)
            return await handler(replace(request, parameters=parameters))
        except ExecutorError as error:
            status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
            return failure(status, error.message, subject=error.subject, hint=error.hint)
        except Exception as error:  # noqa: BLE001 - the boundary of a handler: a defect in one harms no other
            if (found := exhausted.tell(_log, error)) is not None:
                return failure(503, found.message, subject=found.subject, hint=found.hint)
            _log.exception(
                "a handler failed", code="control.bug", method=request.method, path=request.path, error=error
            )
            return failure(500, f"a defect: {type(error).__name__}: {error}", hint="see the executor's log")

    def _route(self, request: Request) -> tuple[Handler, Mapping[str, str]]:
        parts = request.path.split("/")
        others = []
        for method, pattern, handler in self._routes:
            parameters = _match(pattern, parts)
            if parameters is not None and method == request.method:
                return handler, parameters
            if parameters is not None:
                others.append(method)
        if others:
            return _only(others), {}
        raise NotFound("no such path", subject=request.path, hint="is the command of the executor's version?")


def _match(pattern: tuple[str, ...], parts: list[str]) -> Mapping[str, str] | None:
    if len(pattern) != len(parts):
        return None
    parameters = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            parameters[expected.strip("{}")] = unquote(part)
        elif expected != part:
            return None
    return parameters


def _only(methods: list[str]) -> Handler:
    async def refuse(request: Request) -> Response:
        return failure(405, f"{request.method} is not for this path", subject=request.path, hint=f"use {methods[0]}")

    return refuse
