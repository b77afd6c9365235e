"""One run of one CNI plugin: an executable, environment and stdin in, JSON out.

Invariants: a plugin gets a minimal environment and no inherited descriptor; it leads a process group of its own,
which is killed at the time limit and when the caller is cancelled; what it prints is bounded. Whatever goes wrong is
an Outcome, not an exception.
Source: CNI specification 1.1.0, section 2.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from executor.cni.attachment import Json
from executor.cni.failure import PluginError
from executor.log import get_logger

log = get_logger(__name__)

_STDOUT_MAX_BYTES = 1 << 20
_STDERR_KEPT_BYTES = 4096
_REAP_S = 5.0  # a SIGKILLed process that is still there sits in the kernel
_DRAIN_S = 0.5  # a daemon that the plugin left behind may hold its stdout open for ever
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Outcome:
    """Exactly one of both, except that only ADD and VERSION print a result."""

    result: Json | None = None
    error: PluginError | None = None


@dataclass(frozen=True)
class Call:
    """`netns` and `args` are left out of the environment if they are empty."""

    command: str
    config: Json = field(default_factory=dict)
    container_id: str = ""
    netns: str = ""
    ifname: str = ""
    args: str = ""

    def environment(self, plugin_path: str) -> dict[str, str]:
        values = {
            "CNI_COMMAND": self.command,
            "CNI_CONTAINERID": self.container_id,
            "CNI_NETNS": self.netns,
            "CNI_IFNAME": self.ifname,
            "CNI_ARGS": self.args,
            "CNI_PATH": plugin_path,
            "PATH": _PATH,
        }
        return {key: value for key, value in values.items() if value}


class Plugins:
    """The plugins below `directories`, found in that order; `timeout_s` limits each run."""

    def __init__(self, directories: Sequence[Path], timeout_s: float) -> None:
        self._directories = tuple(directories)
        self._timeout_s = timeout_s
        self._path = ":".join(str(each) for each in self._directories)
        self._versions: dict[tuple[str, int, int], tuple[str, ...]] = {}

    @property
    def directories(self) -> str:
        return self._path

    def find(self, kind: str) -> Path | None:
        for directory in self._directories:
            path = directory / kind
            if path.is_file() and os.access(path, os.X_OK):
                return path
        return None

    async def run(self, kind: str, call: Call) -> Outcome:
        path = self.find(kind)
        if path is None:
            return Outcome(error=PluginError(f"no executable of that name in {self._path}"))
        started = time.monotonic()
        outcome = await _execute(path, call.environment(self._path), json.dumps(call.config).encode(), self._timeout_s)
        log.debug(
            "CNI plugin ran",
            plugin=kind,
            command=call.command,
            pod=call.container_id,
            ifname=call.ifname,
            netns=call.netns,
            duration_ms=round((time.monotonic() - started) * 1000, 1),
            error=str(outcome.error) if outcome.error else "",
        )
        return outcome

    async def versions(self, kind: str) -> tuple[str, ...]:
        """The CNI versions that a plugin speaks; asked once per executable. One without VERSION is of 0.1.0."""
        path = self.find(kind)
        if path is None:
            return ()
        stat = path.stat()
        key = (str(path), stat.st_mtime_ns, stat.st_ino)
        if key not in self._versions:
            outcome = await self.run(kind, Call("VERSION", {"cniVersion": "1.0.0"}))
            listed = (outcome.result or {}).get("supportedVersions")
            self._versions[key] = tuple(map(str, listed)) if isinstance(listed, list) else ("0.1.0",)
        return self._versions[key]


def read_outcome(returncode: int, stdout: bytes, stderr: bytes) -> Outcome:
    """Pure. Errors are JSON on stdout; without it stderr says more than nothing."""
    printed, garbage = _decode(stdout)
    said = stderr.decode(errors="replace").strip()
    if returncode == 0:
        if garbage:
            return Outcome(error=PluginError("printed something else than a JSON object", details=_excerpt(stdout)))
        return Outcome(result=printed)
    if printed is not None and isinstance(printed.get("msg"), str):
        code = printed.get("code")
        details = "; ".join(each for each in (str(printed.get("details") or ""), said) if each)
        return Outcome(error=PluginError(printed["msg"], code if isinstance(code, int) else None, details))
    ended = f"killed by {_signal_name(-returncode)}" if returncode < 0 else f"exited with status {returncode}"
    return Outcome(error=PluginError(ended, details=said or _excerpt(stdout)))


def _decode(stdout: bytes) -> tuple[Json | None, bool]:
    """The object printed, and whether it was something else."""
    if not stdout.strip():
        return None, False
    try:
        value = json.loads(stdout)
    except ValueError:
        return None, True
    return (value, False) if isinstance(value, dict) else (None, True)


def _excerpt(text: bytes) -> str:
    return text[:200].decode(errors="replace").strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


async def _execute(path: Path, environment: dict[str, str], stdin: bytes, timeout_s: float) -> Outcome:
    """No preexec_fn, user= or group=: these would fork a process that has gRPC's threads instead of using vfork."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            str(path), stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd="/", start_new_session=True
        )
    except OSError as error:
        return Outcome(error=PluginError(f"cannot be executed: {error.strerror}", details=str(path)))
    try:
        async with asyncio.timeout(timeout_s):
            return await _converse(process, stdin)
    except TimeoutError:
        return Outcome(error=PluginError(f"did not end within {timeout_s:g} s and was killed"))
    finally:
        await _kill(process)


async def _converse(process: asyncio.subprocess.Process, stdin: bytes) -> Outcome:
    assert process.stdin and process.stdout and process.stderr  # noqa: S101 - all three are pipes
    stdout, stderr = bytearray(), bytearray()
    readers = (
        asyncio.create_task(_read(process.stdout, stdout, _STDOUT_MAX_BYTES)),
        asyncio.create_task(_read(process.stderr, stderr, _STDERR_KEPT_BYTES)),
    )
    try:
        with suppress(ConnectionError):  # it may decide without reading its configuration
            process.stdin.write(stdin)
            await process.stdin.drain()
        process.stdin.close()
        returncode = await process.wait()
        await asyncio.wait(readers, timeout=_DRAIN_S)
    finally:
        for reader in readers:
            reader.cancel()
    if len(stdout) > _STDOUT_MAX_BYTES:
        return Outcome(error=PluginError(f"printed more than {_STDOUT_MAX_BYTES} bytes"))
    return read_outcome(returncode, bytes(stdout), bytes(stderr[:_STDERR_KEPT_BYTES]))


async def _read(stream: asyncio.StreamReader, into: bytearray, kept_bytes: int) -> None:
    """Reads on past the bound, so that the plugin is not blocked, but keeps no more than one byte above it."""
    while chunk := await stream.read(65536):
        into += chunk[: max(0, kept_bytes + 1 - len(into))]


async def _kill(process: asyncio.subprocess.Process) -> None:
    """The whole process group, unless its leader ended by itself (what it left behind then is meant to stay), and the
    pipes.
    """
    if process.returncode is None or process.returncode < 0:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(_REAP_S):
                await process.wait()
    process._transport.close()  # type: ignore[attr-defined]
