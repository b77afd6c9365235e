"""The log: one line per transition, JSON on stderr, a readable form on a terminal; or to a file, journald or syslog.

A line is a constant message and keys from the closed list KEYS; a line of INFO and above carries a code from `codes`.
Records with a code also go to the sinks (the journal), at every level: what is logged and what is an event is one
thing. Loggers are structlog's, on one shared list of processors, so `configure` and `set_level` reach loggers that
exist already. Until `configure` was called a key or code that is not in its list raises; afterwards, unless `strict`,
an unknown key is kept under `extra`, for a log line must never end a pod. Owns: the shared processors, the level and
the sinks of this process.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from executor.errors import ExecutorError, clipped
from executor.log.codes import CODES, Level
from executor.log.keys import KEYS

# structlog imports rich for pretty tracebacks whenever it can be found, which triples its import (75 to 17 ms) and
# costs 8 MB. A None in sys.modules makes that optional import fail; it is taken out again so that the commands can
# use rich.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    del sys.modules["rich"]
else:
    import structlog

TEXT_MAX: Final = 16_000
"""Letters of one value; a traceback has some thousand."""
ITEMS_MAX: Final = 200
LEVELS: Final = tuple(level.name.lower() for level in Level)

if TYPE_CHECKING:
    from executor.config import LogSection
    from executor.log.targets import Target

Record = MutableMapping[str, Any]
Sink = Callable[[Mapping[str, Any]], None]


class UnknownKeyError(Exception):
    """A defect in the caller: a key or code outside of its list. Raised in strict mode only."""


class _Output:
    """The end of the chain. A stream that is gone or full loses lines, never a pod."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None

    def info(self, line: str) -> None:
        stream = self.stream or sys.stderr
        try:
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            return

    debug = warning = error = info


class _State:
    def __init__(self) -> None:
        self.level: Level = Level.INFO
        self.strict = True
        self.sinks: tuple[Sink, ...] = ()


_state: Final = _State()
_output: Final = _Output()


class Logger(structlog.BoundLoggerBase):
    """`bind(pod=..., role=...)` returns a logger whose lines carry these keys."""

    def debug(self, message: str, *, code: str = "", **keys: object) -> None:
        """For a developer: an RPC, an argv. Needs no code."""
        self._emit(Level.DEBUG, message, code, keys)

    def info(self, message: str, *, code: str, **keys: object) -> None:
        """One line for each transition."""
        self._emit(Level.INFO, message, code, keys)

    def warning(self, message: str, *, code: str, **keys: object) -> None:
        """Something failed that is tried again, or that takes away a part of a service."""
        self._emit(Level.WARNING, message, code, keys)

    def error(self, message: str, *, code: str, **keys: object) -> None:
        """`error=exception` in any of these methods also logs its subject and hint."""
        self._emit(Level.ERROR, message, code, keys)

    def exception(self, message: str, *, code: str, **keys: object) -> None:
        """An ERROR with the traceback of the exception being handled: for defects, not for expected failures."""
        self._emit(Level.ERROR, message, code, {"exc_info": True, **keys})

    def _emit(self, level: Level, message: str, code: str, keys: dict[str, object]) -> None:
        if not code and level < _state.level:
            return
        if code:
            keys["code"] = code
        self._proxy_to_logger(level.name.lower(), message, **keys)


def get_logger(name: str) -> Logger:
    """A logger for a module (`get_logger(__name__)`); cheap, and valid before and after `configure`."""
    return Logger(_output, _processors, {"logger": name.removeprefix("executor.")})


def configure(config: LogSection, stream: TextIO | None = None, *, strict: bool = False) -> None:
    """Sends the log where `config` says, `stream` taking the place of stderr; called once by the process's entry. Also
    takes in Python's `logging`.
    """
    _output.stream = stream
    _state.strict = strict
    set_level(config.level)
    _processors[-1] = _last(config, stream or sys.stderr)
    root = logging.getLogger()
    root.handlers = [_Libraries(logging.WARNING)]


def set_level(name: str) -> None:
    """The level of what is written, at run time: debug, info, warning or error. Events reach the sinks anyway."""
    _state.level = Level[name.upper()]


def level() -> str:
    """The level of what is written now: debug, info, warning or error."""
    return _state.level.name.lower()


def add_sink(sink: Sink) -> Callable[[], None]:
    """`sink` gets every record that carries a code, in order, in the thread that logged it; returns the removal."""
    _state.sinks = (*_state.sinks, sink)

    def remove() -> None:
        _state.sinks = tuple(each for each in _state.sinks if each is not sink)

    return remove


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339, UTC, milliseconds, as in every line and event."""
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp(_: object, method: str, record: Record) -> Record:
    head = {"time": timestamp(), "level": method, "code": record.pop("code", ""), "message": record.pop("event")}
    if not head["code"]:
        del head["code"]
    return {**head, **{key.rstrip("_"): value for key, value in record.items()}}


def _check_names(_: object, method: str, record: Record) -> Record:
    unknown = [key for key in record if key not in KEYS and key != "exc_info"]
    if _state.strict:
        code = record.get("code")
        if unknown:
            raise UnknownKeyError(f"log key {unknown[0]!r} is not in KEYS: {record}")
        if code and (code not in CODES or method not in CODES[code].levels):
            raise UnknownKeyError(f"code {code!r} is not in CODES at level {method}")
    if unknown:
        record["extra"] = {key: record.pop(key) for key in unknown}
    return record


def _explain_error(_: object, __: str, record: Record) -> Record:
    error = record.get("error")
    if isinstance(error, ExecutorError):
        record["error"] = error.message
        record.update({key: value for key in ("subject", "hint") if (value := getattr(error, key))})
    elif isinstance(error, BaseException):
        record["error"] = str(error) or type(error).__name__
    if isinstance(error, BaseException):
        record["error_type"] = type(error).__name__
    return record


def _bound(_: object, __: str, record: Record) -> Record:
    """Texts and lists in a line hold words of manifests, plugins and programs: they have an end."""
    for key, value in record.items():
        if isinstance(value, str) and len(value) > TEXT_MAX:
            record[key] = clipped(value, TEXT_MAX)
        elif isinstance(value, list | tuple) and len(value) > ITEMS_MAX:
            record[key] = [*value[:ITEMS_MAX], f"... and {len(value) - ITEMS_MAX} more"]
    return record


def _to_sinks(_: object, __: str, record: Record) -> Record:
    if "code" in record:
        for sink in _state.sinks:
            sink(record)
    return record


def _drop_below_level(_: object, method: str, record: Record) -> Record:
    if Level[method.upper()] < _state.level:
        raise structlog.DropEvent
    return record


def _last(config: LogSection, stream: TextIO) -> structlog.typing.Processor:
    target = _target(config)
    if target is not None:
        return _to(target)
    return _console(stream) if _wants_console(config, stream) else _json()


def _target(config: LogSection) -> Target | None:
    """None: stderr, also for a process that has no Mesos sandbox."""
    if config.target == "stderr":
        return None
    from executor.log.targets import Journald, SandboxFile, Syslog

    if config.target == "sandbox":
        sandbox = os.environ.get("MESOS_SANDBOX") or os.environ.get("MESOS_DIRECTORY")
        return SandboxFile(sandbox, config.max_bytes) if sandbox else None
    return Journald() if config.target == "journald" else Syslog()


def _to(target: Target) -> structlog.typing.Processor:
    def send(_: object, method: str, record: Record) -> str:
        line = json.dumps(record, default=str)
        if target.send(method, record, line):
            raise structlog.DropEvent
        return line

    return send


def _wants_console(config: LogSection, stream: TextIO) -> bool:
    return config.format == "console" or (config.format == "auto" and stream.isatty())


def _json() -> structlog.typing.Processor:
    return structlog.processors.JSONRenderer(default=str)


def _console(stream: TextIO) -> structlog.typing.Processor:
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        event_key="message",
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )


class _Libraries(logging.Handler):
    """Python's logging (asyncio, gRPC, pymesos) as lines of this log."""

    def emit(self, record: logging.LogRecord) -> None:
        log, text = get_logger(record.name), record.getMessage()
        keys: dict[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        if record.levelno >= logging.ERROR:
            log.error("a library reports an error", code="library.error", text=text, **keys)
        else:
            log.warning("a library warns", code="library.warning", text=text, **keys)


_processors: Final[list[structlog.typing.Processor]] = [
    _stamp,
    _check_names,
    _explain_error,
    structlog.processors.format_exc_info,
    _bound,
    _to_sinks,
    _drop_below_level,
    _json(),
]
