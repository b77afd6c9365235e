"""The log: closed lists of keys and codes, sinks, levels, and what it costs to import."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from executor.config import LogSection
from executor.errors import NotFound
from executor.log import UnknownKeyError, get_logger
from executor.log import logger as log

RUNNING = {"message": "the pod runs", "code": "pod.running"}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Each test leaves the process's log as it was: strict, on stderr."""
    processors, handlers = list(log._processors), list(logging.getLogger().handlers)
    yield
    log._processors[:] = processors
    logging.getLogger().handlers = handlers
    log._output.stream, log._state.strict, log._state.sinks = None, True, ()
    log.set_level("info")


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def json_log(level: str = "info", *, strict: bool = True) -> io.StringIO:
    stream = io.StringIO()
    log.configure(LogSection(level=level, format="json"), stream, strict=strict)
    return stream


def test_a_line_is_json_with_a_constant_head() -> None:
    stream = json_log()
    get_logger("executor.pod.runner").bind(pod="pod-1").info("the pod runs", code="pod.running", class_="revocable")
    (line,) = lines(stream)
    assert list(line) == ["time", "level", "code", "message", "logger", "pod", "class"]
    assert line["logger"] == "pod.runner"
    assert line["class"] == "revocable"
    assert line["time"][10] == "T"
    assert line["time"].endswith("Z")
    assert len(line["time"]) == len("2024-01-01T00:00:00.000Z")


def test_binding_does_not_change_the_logger_it_came_from() -> None:
    stream = json_log()
    logger = get_logger("x")
    logger.bind(pod="pod-1")
    logger.info("the pod runs", code="pod.running")
    assert "pod" not in lines(stream)[0]


@pytest.mark.parametrize(
    ("level", "code", "keys"),
    [
        ("info", "pod.running", {"colour": "red"}),
        ("info", "pod.no_such_code", {}),
        ("warning", "pod.running", {}),
    ],
)
def test_strict_raises_for_what_is_not_in_the_lists(level: str, code: str, keys: Mapping[str, Any]) -> None:
    json_log()
    with pytest.raises(UnknownKeyError):
        getattr(get_logger("x"), level)("m", code=code, **keys)


def test_production_keeps_an_unknown_key() -> None:
    stream = json_log(strict=False)
    get_logger("x").info("the pod runs", code="pod.running", colour="red", pid=1)
    assert lines(stream)[0]["extra"] == {"colour": "red"}
    assert lines(stream)[0]["pid"] == 1


def test_an_error_of_ours_says_what_to_do() -> None:
    stream = json_log()
    error = NotFound("is not here", subject="image a", hint="import it")
    get_logger("x").error("failed", code="executor.failed", error=error)
    line = lines(stream)[0]
    assert (line["error"], line["subject"], line["hint"]) == ("is not here", "image a", "import it")
    assert line["error_type"] == "NotFound"


def test_a_foreign_error_without_words_is_named() -> None:
    stream = json_log()
    get_logger("x").error("failed", code="executor.failed", error=ValueError())
    assert lines(stream)[0]["error"] == "ValueError"


def test_exception_has_the_traceback() -> None:
    stream = json_log()
    try:
        raise ValueError("odd")
    except ValueError as error:
        get_logger("x").exception("a defect", code="pod.defect", error=error)
    assert "ValueError: odd" in lines(stream)[0]["exception"]


def test_values_that_are_not_json_do_not_raise() -> None:
    stream = json_log()
    get_logger("x").info("the pod runs", code="pod.running", ips=[object()], path=b"\xff", error=float("nan"))
    assert "object object" in lines(stream)[0]["ips"][0]


def test_the_level_is_changed_at_run_time_for_loggers_that_exist() -> None:
    stream = json_log()
    logger = get_logger("x").bind(pod="pod-1")
    logger.debug("hidden", pid=1)
    log.set_level("debug")
    logger.debug("shown", pid=1)
    log.set_level("error")
    logger.info("the pod runs", code="pod.running")
    assert [line["message"] for line in lines(stream)] == ["shown"]
    assert log.level() == "error"


def test_sinks_get_every_coded_record_whatever_the_level() -> None:
    stream = json_log(level="error")
    seen: list[Mapping[str, Any]] = []
    remove = log.add_sink(seen.append)
    get_logger("x").info("the pod runs", code="pod.running", pid=1)
    get_logger("x").debug("an RPC", pid=2)
    remove()
    get_logger("x").info("the pod runs", code="pod.running", pid=3)
    assert [record["pid"] for record in seen] == [1]
    assert stream.getvalue() == ""


def test_a_stream_that_is_gone_raises_nothing() -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

    log.configure(LogSection(format="json"), Full())
    get_logger("x").info("the pod runs", code="pod.running")
    closed = io.StringIO()
    closed.close()
    log._output.stream = closed
    get_logger("x").info("the pod runs", code="pod.running")


def test_console_is_for_people() -> None:
    stream = io.StringIO()
    log.configure(LogSection(format="console"), stream)
    get_logger("executor.pod").info("the pod runs", code="pod.running", pod="pod-1")
    assert "the pod runs" in stream.getvalue()
    assert "pod=pod-1" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_auto_is_json_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    log.configure(LogSection(format="auto"), stream)
    get_logger("x").info("the pod runs", code="pod.running")
    assert lines(stream)[0]["message"] == "the pod runs"


def test_libraries_are_heard_from_warning_on() -> None:
    stream = json_log()
    logging.getLogger("asyncio").info("chatter")
    logging.getLogger("asyncio").warning("slow %s", "callback")
    logging.getLogger("grpc").error("broken")
    assert [(line["logger"], line["code"], line["text"]) for line in lines(stream)] == [
        ("asyncio", "library.warning", "slow callback"),
        ("grpc", "library.error", "broken"),
    ]


def test_the_executor_never_imports_what_only_commands_need() -> None:
    imports = "import executor.log, executor.control.server, executor.log.journal, executor.__main__, sys"
    code = f"{imports}; print([name for name in ('rich', 'click') if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"
    after = "import executor.log; import rich.table; print(rich.table.Table.__name__)"
    assert subprocess.run([sys.executable, "-c", after], capture_output=True, text=True, check=True).stdout == "Table\n"
