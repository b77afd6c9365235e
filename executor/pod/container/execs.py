"""Further processes in a container, for `exec`: made beside its first one, with the same user, environment and limits.

    session ─▶ FIFOs in the pod's directory ─▶ containerd's exec ─▶ the client opens the FIFOs itself
            ─▶ {"id", "stdin", ...} ─▶ {"pid"} ─▶ {"exit_code"};  the client hangs up ─▶ SIGKILL

The bytes never pass through the executor, which only keeps a reading end open, so that nothing is lost before the
client has opened its own. In every case the process, its record and the FIFOs are gone when the session ends.
Owns: the sessions, and the directories `exec-*` in the pods' directories.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.errors import ExecutorError, Failure, InvalidRequest, NotFound, Refused
from executor.exec import process as processes
from executor.exec.fifos import Fifos
from executor.exec.late import SHIM_HINT
from executor.exec.process import ContainerProcess
from executor.pod.life.model import Phase

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.exec.late import LateStarts
    from executor.pod.runner import PodRunner


SESSIONS_MAX: Final = 64
ARGUMENTS_MAX_BYTES: Final = 256 << 10
START_S: Final = 10.0
"""How long the container's shim may take to start the process."""
DELETE_S: Final = 5.0
"""How long output may still be copied after the process was killed."""
_SHOWN_COMMAND: Final = 200


@dataclass(frozen=True)
class Request:
    """`container` may be empty where the pod has one."""

    command: tuple[str, ...]
    container: str = ""
    terminal: bool = False
    stdin: bool = False
    size: tuple[int, int] | None = None
    """The terminal's size at its start: columns, rows."""


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
    def __init__(self, containerd: Containerd, streams_dir: Path, late_starts: LateStarts) -> None:
        """`streams_dir` is for FIFOs, and only root may write there."""
        self._containerd = containerd
        self._streams_dir, self._late_starts = streams_dir, late_starts
        self._sessions: dict[str, ContainerProcess] = {}

    def check(self, runner: PodRunner, request: Request) -> str:
        """The container's name. Raises NotFound, InvalidRequest, Refused."""
        names = list(runner.pod.containers)
        main = [container.name for container in runner.pod.main]
        if not request.container and len(main) > 1:
            raise InvalidRequest(f"the pod has several, name one: {', '.join(main)}", subject="container")
        name = request.container or main[0]
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
        process = self._sessions.get(identity)
        if process is None or not process.running:
            raise NotFound("no such session, or it has ended", subject=f"exec {identity}")
        tasks = self._containerd.tasks
        match document:
            case {"stdin": "closed"}:
                await tasks.close_stdin(process.container, exec_id=process.id)
            case {"columns": _, "rows": _}:
                width, height = _size(document)
                await tasks.resize(process.container, exec_id=process.id, width=width, height=height)
            case _:
                raise InvalidRequest('must be {"columns": N, "rows": N} or {"stdin": "closed"}', subject="exec")

    async def run(self, runner: PodRunner, name: str, request: Request) -> AsyncGenerator[Mapping[str, Any], None]:
        """The session's news, until its process has ended; closing it early kills the process."""
        container, identity = runner.containers.id(name), processes.new_id("exec")
        fifos = Fifos({key: self._streams_dir / f"{identity}.{key}" for key in _streams(request)})
        process = ContainerProcess(self._containerd.tasks, container, identity, fifos, self._late_starts)
        self._sessions[identity] = process
        runner.log.info(
            "a command is executed in a container",
            code="pod.exec",
            container=name,
            command=shlex.quote(request.command[0])[:_SHOWN_COMMAND],
        )
        try:
            fifos.make()
            yield {"id": identity, **{key: str(path) for key, path in fifos.paths.items()}}
            yield {"pid": await self._started(process, request)}
            yield {"exit_code": await process.wait()}
            await asyncio.Event().wait()  # until the client has read everything, and hangs up
        except ExecutorError as error:
            yield {"error": {"message": error.message, "subject": error.subject, "hint": error.hint}}
        finally:
            del self._sessions[identity]
            await process.end(DELETE_S)

    async def _started(self, process: ContainerProcess, request: Request) -> int:
        """Its pid. Raises Failure where the container's shim does not answer in time."""
        try:
            async with asyncio.timeout(START_S):
                record = await self._containerd.containers.get(process.container)
                spec = process_spec(json.loads(record.spec), request)
                return await process.start(spec, terminal=request.terminal)
        except TimeoutError as error:
            message = f"its shim does not answer within {START_S:g} s"
            raise Failure(message, subject=process.container, hint=SHIM_HINT) from error


def _streams(request: Request) -> tuple[str, ...]:
    outputs = ("stdout",) if request.terminal else ("stdout", "stderr")
    return ("stdin", *outputs) if request.stdin else outputs


def process_spec(spec: Mapping[str, Any], request: Request) -> dict[str, object]:
    """The OCI process of a further command: as the container's first one, less what belongs to its own start. Pure."""
    process = processes.process_spec(spec["process"], request.command)
    env = [each for each in spec["process"].get("env", []) if not each.startswith("TERM=")]
    if request.size is not None:
        process["consoleSize"] = {"width": request.size[0], "height": request.size[1]}
    return {**process, "env": [*env, "TERM=xterm"] if request.terminal else env}
