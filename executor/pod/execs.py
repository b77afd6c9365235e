"""Further processes in a container, for `exec`: made beside its first one, with the same user, environment and limits.

    session ─▶ FIFOs in the pod's directory ─▶ containerd's exec ─▶ the client opens the FIFOs itself
            ─▶ {"id", "stdin", ...} ─▶ {"pid"} ─▶ {"exit_code"};  the client hangs up ─▶ SIGKILL

The bytes never pass through the executor, which only keeps a reading end open, so that nothing is lost before the
client has opened its own. Whatever happens, the process, its record and the FIFOs are gone when the session ends.
Owns: the sessions, and the directories `exec-*` in the pods' directories.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import signal
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.concurrency import to_the_end
from executor.errors import ContainerdUnavailable, ExecutorError, Failure, InvalidRequest, NotFound, Refused, reason
from executor.log import get_logger
from executor.pod.model import Phase

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.names import ContainerId
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

SESSIONS_MAX: Final = 64
ARGUMENTS_MAX_BYTES: Final = 256 << 10
DELETE_S: Final = 5.0
"""How long output may still be copied after the process was killed."""
_LOOK_AGAIN_S: Final = 0.2
_SHOWN_COMMAND: Final = 200
_HINT: Final = "the program must be in the container's image, and in its PATH unless it is named by its path"


@dataclass(frozen=True)
class Request:
    """`container` may be empty where the pod has one."""

    command: tuple[str, ...]
    container: str = ""
    terminal: bool = False
    stdin: bool = False
    size: tuple[int, int] | None = None
    """Of the terminal at its start: columns, rows."""


@dataclass
class _Session:
    id: str
    container: ContainerId
    directory: Path
    request: Request
    held: list[int] = field(default_factory=list)
    made: bool = False
    running: bool = False

    @property
    def streams(self) -> dict[str, Path]:
        """Those that the client is to open."""
        names = ["stdout"] if self.request.terminal else ["stdout", "stderr"]
        return {name: self.directory / name for name in (["stdin"] if self.request.stdin else []) + names}


def parse(document: object) -> Request:
    """Raises InvalidRequest."""
    known = {"command", "container", "terminal", "stdin", "columns", "rows"}
    if not isinstance(document, Mapping) or not set(document) <= known:
        raise InvalidRequest(f"must be an object with the keys {', '.join(sorted(known))}", subject="exec")
    command = document.get("command")
    if not isinstance(command, list) or not command or not all(isinstance(each, str) for each in command):
        raise InvalidRequest("must be a list of texts, and not empty", subject="command")
    if any("\0" in each for each in command) or sum(map(len, command)) > ARGUMENTS_MAX_BYTES:
        raise InvalidRequest("has a zero byte, or is too long", subject="command")
    container = document.get("container", "")
    if not isinstance(container, str):
        raise InvalidRequest("must be a text", subject="container")
    for key in ("terminal", "stdin"):
        if not isinstance(document.get(key, False), bool):
            raise InvalidRequest("must be true or false", subject=key)
    size = _size(document) if "columns" in document or "rows" in document else None
    return Request(tuple(command), container, bool(document.get("terminal")), bool(document.get("stdin")), size)


def _size(document: object) -> tuple[int, int]:
    """Columns and rows. Raises InvalidRequest."""
    match document:
        case {"columns": int(width), "rows": int(height)} if 0 < width < 1 << 16 and 0 < height < 1 << 16:
            return width, height
    raise InvalidRequest("must be two numbers from 1 to 65535", subject="columns, rows")


class Execs:
    def __init__(self, containerd: Containerd) -> None:
        self._containerd = containerd
        self._sessions: dict[str, _Session] = {}

    def check(self, runner: PodRunner, request: Request) -> str:
        """The container's name. Raises NotFound, InvalidRequest, Refused."""
        names = list(runner.pod.containers)
        if not request.container and len(names) > 1:
            raise InvalidRequest(f"the pod has several, name one: {', '.join(names)}", subject="container")
        name = request.container or names[0]
        if name not in names:
            raise NotFound("no such container", subject=f"{runner.id}/{name}", hint=f"it has: {', '.join(names)}")
        if runner.pod.containers[name].phase is not Phase.RUNNING or runner.pod.stop is not None:
            hint = f"see its state: mesos-pod-executor inspect {runner.id}"
            raise Refused("does not run, or is being ended", subject=f"{runner.id}/{name}", hint=hint)
        if len(self._sessions) >= SESSIONS_MAX:
            hint = "end one of them, or wait until one ends"
            raise Refused(f"there are {SESSIONS_MAX} sessions already", subject="exec", hint=hint)
        return name

    async def change(self, identity: str, document: object) -> None:
        """`{"columns": .., "rows": ..}` is the size of the terminal, `{"stdin": "closed"}` the end of the input.

        Raises NotFound, InvalidRequest, ContainerdFailure.
        """
        session = self._sessions.get(identity)
        if session is None or not session.running:
            raise NotFound("no such session, or it has ended", subject=f"exec {identity}")
        match document:
            case {"stdin": "closed"}:
                await self._containerd.tasks.close_stdin(session.container, exec_id=session.id)
            case {"columns": _, "rows": _}:
                width, height = _size(document)
                await self._containerd.tasks.resize(session.container, exec_id=session.id, width=width, height=height)
            case _:
                raise InvalidRequest('must be {"columns": N, "rows": N} or {"stdin": "closed"}', subject="exec")

    async def run(self, runner: PodRunner, name: str, request: Request) -> AsyncGenerator[Mapping[str, Any], None]:
        """The session's news, until its process has ended; closing it early kills the process."""
        session = _Session(
            f"exec-{uuid.uuid4().hex[:12]}", runner.containers.id(name), runner.sandbox.directory, request
        )
        session.directory = runner.sandbox.directory / session.id
        self._sessions[session.id] = session
        runner.log.info(
            "a command is executed in a container",
            code="pod.exec",
            container=name,
            command=shlex.join(request.command)[:_SHOWN_COMMAND],
        )
        try:
            _make_streams(session)
            yield {"id": session.id, **{key: str(path) for key, path in session.streams.items()}}
            yield {"pid": await self._start(session)}
            yield {"exit_code": await self._wait(session)}
            await asyncio.Event().wait()  # until the client has read everything, and hangs up
        except ExecutorError as error:
            yield {"error": {"message": error.message, "subject": error.subject, "hint": error.hint}}
        finally:
            await to_the_end(self._end(session))

    async def _start(self, session: _Session) -> int:
        record = await self._containerd.containers.get(session.container)
        process = process_spec(json.loads(record.spec), session.request)
        await self._containerd.tasks.exec(
            session.container, session.id, process, terminal=session.request.terminal, **session.streams
        )
        session.made = session.running = True  # also where the client hangs up meanwhile
        try:
            return await to_the_end(self._containerd.tasks.start(session.container, exec_id=session.id))
        except ExecutorError as error:
            session.running = False
            error.hint = error.hint or _HINT
            raise

    async def _wait(self, session: _Session) -> int:
        """The exit code, whatever becomes of containerd meanwhile."""
        while True:
            try:
                status = await self._containerd.tasks.wait(session.container, exec_id=session.id)
            except ContainerdUnavailable:
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            session.running = False
            return status.exit_status

    async def _end(self, session: _Session) -> None:
        """Kill, and read what is still in the FIFOs: the shim lets go of a process only when its output is copied."""
        loop = asyncio.get_running_loop()
        for descriptor in session.held:
            loop.add_reader(descriptor, _drain, loop, descriptor)
        try:
            async with asyncio.timeout(DELETE_S):
                if session.running:
                    await self._containerd.tasks.kill(session.container, signal.SIGKILL, exec_id=session.id)
                    await self._wait(session)
                if session.made:
                    await self._containerd.tasks.delete(session.container, exec_id=session.id)
        except (ExecutorError, TimeoutError) as error:
            log.debug("an exec's record could not be removed; it goes with its container", error=error)
        finally:
            for descriptor in session.held:
                loop.remove_reader(descriptor)
                os.close(descriptor)
            _remove_streams(session)
            del self._sessions[session.id]


def process_spec(spec: Mapping[str, Any], request: Request) -> dict[str, object]:
    """The OCI process of a further command: as the container's first one, less what belongs to its own start. Pure."""
    process = {key: value for key, value in spec["process"].items() if key not in ("terminal", "consoleSize")}
    env = [each for each in process.get("env", []) if not each.startswith("TERM=")]
    if request.size is not None:
        process["consoleSize"] = {"width": request.size[0], "height": request.size[1]}
    return {**process, "args": list(request.command), "env": [*env, "TERM=xterm"] if request.terminal else env}


def _make_streams(session: _Session) -> None:
    try:
        session.directory.mkdir(mode=0o700)
        for name, path in session.streams.items():
            os.mkfifo(path, 0o600)
            if name != "stdin":
                session.held.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        raise Failure(f"cannot be made: {reason(error)}", subject=str(session.directory)) from error


def _remove_streams(session: _Session) -> None:
    try:
        for path in session.streams.values():
            path.unlink(missing_ok=True)
        session.directory.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        log.warning("could not remove", code="pod.leaked", what="files", path=str(session.directory), error=str(error))


def _drain(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        if not os.read(descriptor, 1 << 16):
            loop.remove_reader(descriptor)  # no writer is left; the end would be readable for ever
