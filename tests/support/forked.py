"""pytest plugin of tests/run: processes that are forked after the collection run the tests: `--processes N`.

Everything is imported and collected once, by the process that reports. A process takes the next few tests of one module
whenever it has none, and sends each report as it comes. What a process that dies had not finished counts as failed.

pytest-xdist would be the library for it, but each of its processes imports and collects everything again: with four of
them that is 14 s of CPU for the 5,500 tests of the suite `unit`, in place of 3 s, and the suite is to take 40 s.
"""

from __future__ import annotations

import os
import signal
import struct
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import pytest
from _pytest.tmpdir import TempPathFactory

from tests.support import report

PORTION = 24
"""How many tests a process takes at a time: the more, the less often a fixture of a module is made again."""
Location = tuple[str, int | None, str]
_NUMBER = struct.Struct("=I")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, default=1, help="run the tests in so many forked processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """None leaves it to pytest: with one process, without tests, and where a file cannot be collected."""
    count = session.config.getoption("processes")
    if count < 2 or not session.items or session.config.option.collectonly or session.testsfailed:
        return None
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter.showfspath = False  # files come in no order
    Parent(session, count).run()
    return True


def portions(items: Sequence[pytest.Item]) -> Iterator[range]:
    """The tests as numbers, a few of one module in each portion."""
    begin = 0
    for number in range(1, len(items) + 1):
        if number == len(items) or items[number].path != items[begin].path or number - begin == PORTION:
            yield range(begin, number)
            begin = number


class Parent:
    """Starts the processes, and hands on what they report."""

    def __init__(self, session: pytest.Session, count: int) -> None:
        self._session, self._config, self._items = session, session.config, session.items
        self._portions = list(portions(self._items))
        self._count = min(count, len(self._portions))
        self._running: dict[Connection, int] = {}
        """The pids of the processes, by what they send."""
        self._current: dict[Connection, int] = {}
        self._open = set(range(len(self._items)))

    def run(self) -> None:
        """Raises what pytest's own loop raises: Session.Failed, KeyboardInterrupt."""
        directory = _factory(self._config).getbasetemp()
        queue, entry = os.pipe()
        try:
            for number in range(self._count):
                self._start(number, queue, entry, directory)
            os.close(queue)
            with os.fdopen(entry, "wb") as numbers:
                numbers.write(b"".join(_NUMBER.pack(number) for number in range(len(self._portions))))
            self._listen()
        finally:
            for pid in self._running.values():
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        for number in sorted(self._open):
            self._fail(number, "was not run: its process had ended")

    def _start(self, number: int, queue: int, entry: int, directory: Path) -> None:
        receiving, sending = Pipe(duplex=False)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                os.close(entry)
                receiving.close()
                Child(self._session, self._portions, sending, directory / f"process-{number}").run(queue)
                code = 0
            finally:
                os._exit(code)
        sending.close()
        self._running[receiving] = pid

    def _listen(self) -> None:
        while self._running:
            for source in wait(list(self._running)):
                assert isinstance(source, Connection)
                self._receive(source)
                if self._session.shouldfail:
                    raise self._session.Failed(self._session.shouldfail)
                if self._session.shouldstop:
                    raise self._session.Interrupted(self._session.shouldstop)

    def _receive(self, source: Connection) -> None:
        """One message of a process, or its end: a test begins at this location, or it is over and has these reports."""
        try:
            number, said = source.recv()
        except (EOFError, OSError):
            source.close()
            _, status = os.waitpid(self._running.pop(source), 0)
            if (current := self._current.pop(source, None)) is not None:
                self._fail(current, f"its process ended with status {os.waitstatus_to_exitcode(status)}")
            return
        item, hook = self._items[number], self._config.hook
        if isinstance(said, tuple):
            self._current[source] = number
            hook.pytest_runtest_logstart(nodeid=item.nodeid, location=said)
            return
        for data in said:
            hook.pytest_runtest_logreport(report=hook.pytest_report_from_serializable(config=self._config, data=data))
        self._finished(number, said[0]["location"])
        del self._current[source]

    def _fail(self, number: int, why: str) -> None:
        item = self._items[number]
        failure = pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")
        self._config.hook.pytest_runtest_logreport(report=failure)
        self._finished(number, item.location)

    def _finished(self, number: int, location: Location) -> None:
        self._open.discard(number)
        self._config.hook.pytest_runtest_logfinish(nodeid=self._items[number].nodeid, location=tuple(location))


class Child:
    """Runs portions of the tests until none is left. `directory` is for their tmp_path."""

    def __init__(
        self, session: pytest.Session, all_portions: Sequence[range], output: Connection, directory: Path
    ) -> None:
        self._session, self._config = session, session.config
        self._portions, self._output, self._directory = all_portions, output, directory
        self._reports: list[dict[str, Any]] = []
        """What the current test has reported."""

    def run(self, queue: int) -> None:
        """`queue` has the numbers of portions."""
        plugins = self._config.pluginmanager
        for name in ("terminalreporter", report.NAME, "lfplugin", "junitxml"):
            plugins.unregister(name=name) if plugins.has_plugin(name) else None
        plugins.register(self, "mpe-forked")
        capture = plugins.getplugin("capturemanager")  # its files are open in the other processes too
        capture.stop_global_capturing()
        capture.start_global_capturing()
        self._directory.mkdir()
        while number := os.read(queue, _NUMBER.size):
            self._run(_NUMBER.unpack(number)[0])

    def _run(self, portion: int) -> None:
        factory = _factory(self._config)
        factory._basetemp = self._directory / str(portion)
        factory._basetemp.mkdir(mode=0o700)
        numbers = self._portions[portion]
        for number in numbers:
            item = self._session.items[number]
            following = self._session.items[number + 1] if number + 1 in numbers else None
            self._output.send((number, item.location))
            self._config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            self._output.send((number, self._reports))
            self._reports = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it for the process that reports, which gets all of a test's at its end: each message wakes it."""
        self._reports.append(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))


def _factory(config: pytest.Config) -> TempPathFactory:
    return config._tmp_path_factory  # type: ignore[attr-defined, no-any-return] # xdist's processes set an option for it
