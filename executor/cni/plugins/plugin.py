"""One run of one CNI plugin: environment and JSON in, JSON out. Every failure is an Outcome, not an exception.

Source: CNI specification 1.1.0, section 2.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from executor import bounded_json
from executor.cni.attachment import Json
from executor.cni.plugins.failure import PluginError
from executor.cni.plugins.process import STDOUT_MAX_BYTES, execute
from executor.errors import clipped, reason
from executor.log import get_logger

log = get_logger(__name__)

WORDS_MAX_CHARS = 1000
"""The length of the message and of the details of an error; they go into a status update."""
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
        """The variables of a plugin's process; `plugin_path` becomes CNI_PATH."""
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
        """The directories as CNI_PATH has them, for messages."""
        return self._path

    def find(self, kind: str) -> Path | None:
        """The executable of a plugin's type in the first directory that has it; None if none has."""
        for directory in self._directories:
            path = directory / kind
            if path.is_file() and os.access(path, os.X_OK):
                return path
        return None

    async def run(self, kind: str, call: Call, timeout_s: float | None = None) -> Outcome:
        """`timeout_s` in place of the limit that holds else."""
        path = self.find(kind)
        if path is None:
            return Outcome(error=PluginError(f"no executable of that name in {self._path}"))
        started = time.monotonic()
        outcome = await self._outcome(path, call, self._timeout_s if timeout_s is None else timeout_s)
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

    async def _outcome(self, path: Path, call: Call, timeout_s: float) -> Outcome:
        stdin = json.dumps(call.config).encode()
        try:
            finished = await execute([path], call.environment(self._path), stdin, timeout_s)
        except OSError as error:
            return Outcome(error=PluginError(f"cannot be executed: {reason(error)}", details=str(path)))
        if finished.returncode is None:
            return Outcome(error=PluginError(f"did not end within {timeout_s:.3g} s and was killed"))
        if len(finished.stdout) > STDOUT_MAX_BYTES:
            return Outcome(error=PluginError(f"printed more than {STDOUT_MAX_BYTES} bytes"))
        return read_outcome(finished.returncode, finished.stdout, finished.stderr)

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
            details = f"{garbage}: {_excerpt(stdout)}"
            return Outcome(error=PluginError("printed something else than a JSON object", details=details))
        return Outcome(result=printed)
    if printed is not None and isinstance(printed.get("msg"), str):
        code = printed.get("code")
        known = code if isinstance(code, int) and not isinstance(code, bool) else None
        details = "; ".join(each for each in (_told(printed.get("details")), said) if each)
        return Outcome(error=PluginError(_told(printed["msg"]), known, details))
    ended = f"killed by {_signal_name(-returncode)}" if returncode < 0 else f"exited with status {returncode}"
    return Outcome(error=PluginError(ended, details=said or _excerpt(stdout)))


def _decode(stdout: bytes) -> tuple[Json | None, str]:
    """The object printed, and what else it was, in words."""
    if not stdout.strip():
        return None, ""
    try:
        value = bounded_json.loads(stdout, bounded_json.RESULT)
    except ValueError as error:
        return None, str(error)
    return (value, "") if isinstance(value, dict) else (None, "another JSON value")


def _told(value: object) -> str:
    """A plugin's words, bounded, and without halves of surrogate pairs, which cannot be encoded."""
    text = value if isinstance(value, str) else json.dumps(value) if value else ""
    return clipped(text, WORDS_MAX_CHARS).encode(errors="replace").decode()


def _excerpt(text: bytes) -> str:
    return text[:200].decode(errors="replace").strip()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
