"""Files that a framework put where a journal is: no reader of them blocks, follows a link, fails or grows with them."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from executor.cli.exits import Exit
from executor.cli.history import former, journals
from executor.cli.history.verdict import verdict
from executor.log import journal_files
from executor.log.journal import Journal
from executor.log.journal_files import FILE, READ_MAX_BYTES, merged, read
from executor.log.keys import KEYS
from executor.log.timeline import timeline, unfinished
from executor.names import MesosContainerId
from executor.node.ended_executors import MesosNames, remember
from tests.support.cases import check_each
from tests.unit.cli.conftest import Run, run

__all__ = ["run"]

TIME = "2026-01-01T00:00:00.000Z"
GOOD = {"seq": 7, "time": TIME, "level": "info", "code": "pod.accepted", "message": "", "pod": "pod-1", "task": "t"}
VALUES: tuple[Any, ...] = (
    None,
    True,
    5,
    1.5,
    "x",
    [],
    [1],
    [{}],
    {},
    {"a": {"b": 1}},
    -1,
    1 << 80,
    "\ud800",
    "\0\n\x1b[2J",
)
NO_EVENTS = (
    b"",
    b"\0" * 4096,
    b"\xff\xfe garbage",
    b"{}",
    b"[]",
    b'"seq"',
    b'{"seq": 1}',
    b'{"seq": 1, "time": "yesterday"}',
    b'{"seq": 1, "time": "2026-01-01T00:00:00"}',
    b'{"seq": 1, "time": 1767225600}',
    *(json.dumps({**GOOD, "seq": seq}).encode() for seq in (True, False, None, "1", 1.0, 0, -1, 1 << 80)),
    *(
        json.dumps({**GOOD, "pod": name}).encode()
        for name in ("..", "../../etc", "/etc", "a/b", "a\0", "a\n", "\ud800")
    ),
    *(json.dumps({**GOOD, "container": name}).encode() for name in ("../x", "/x", "x" * 300)),
    *(json.dumps({**GOOD, key: 1}).encode() for key in ("code", "level", "pod", "task", "tasks", "pids")),
)


def write(directory: Path, *lines: bytes) -> Path:
    path = directory / FILE
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def test_lines_that_are_no_events(tmp_path: Path) -> None:
    path = write(tmp_path, *NO_EVENTS, json.dumps(GOOD).encode(), *NO_EVENTS)
    assert read(tmp_path) == [GOOD]
    assert Journal(path).events() == [GOOD]


@pytest.mark.parametrize("code", ["pod.running", "pod.container_exited", "pod.ended"])
def test_every_key_with_every_kind_of_value(tmp_path: Path, run: Run, code: str) -> None:
    """What is taken for an event can be shown by every command."""
    check_each(((key, key) for key in KEYS), lambda key: can_be_shown(tmp_path, run, key, code))


def can_be_shown(tmp_path: Path, run: Run, key: str, code: str) -> None:
    again = {**GOOD, "code": code, "container": "app"}
    story = [GOOD] + [{**again, "seq": 8 + at, key: value} for at, value in enumerate(VALUES)]
    write(tmp_path, *(json.dumps(event).encode() for event in story))
    events = read(tmp_path)
    assert GOOD in events
    unfinished(events)
    former.pods_of(journals.Journal("c", MesosNames(sandbox=str(tmp_path)), died=True), 0.0)
    verdict(timeline(events, "t"), executor_died=True)
    for form in ([], ["--json"]):
        ran = run("why", "t", "--journal", str(tmp_path), *form)
        assert ran.code == Exit.OK, ran


@pytest.mark.parametrize("key", ["time", "level", "code", "reason", "error", "outcome", "containers"])
def test_a_journal_of_a_framework_neither_hides_the_pods_of_the_node_nor_steers_a_terminal(
    tmp_path: Path, run: Run, key: str
) -> None:
    run_dir, sandbox = tmp_path / "run", tmp_path / "sandbox"
    run_dir.mkdir()
    sandbox.mkdir()
    remember(run_dir, MesosContainerId("c-1"), MesosNames("e", "f", str(sandbox)), died=False)
    for value in (*VALUES, "2026-01-01\x9b00:00:00+00:00"):
        ended = {"seq": 8, "time": TIME, "code": "pod.ended", "pod": "pod-1", "outcome": "TASK_FAILED", key: value}
        write(sandbox, json.dumps({**GOOD, "seq": 6}).encode(), json.dumps({**GOOD, key: value}).encode())
        with (sandbox / FILE).open("ab") as file:
            file.write(json.dumps(ended).encode() + b"\n")
        for arguments in (["ps", "-a"], ["describe", "pod-1"], ["why", "t"]):
            ran = run(*arguments)
            assert ran.code == Exit.OK, (value, ran)
            assert not set(ran.out + ran.err) & {"\x1b", "\0", "\x9b"}, (value, ran)


def outside(directory: Path) -> Path:
    """A file of the node that does not end with a line."""
    path = directory / "outside"
    path.write_bytes(b"first\nhalf a line")
    return path


PLACES: dict[str, Callable[[Path], None]] = {
    "FIFO": os.mkfifo,
    "directory": Path.mkdir,
    "link": lambda path: path.symlink_to(outside(path.parent)),
    "endless device": lambda path: path.symlink_to("/dev/zero"),
    "socket": lambda path: os.mknod(path, 0o140600),
}


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("place", PLACES)
async def test_what_is_no_regular_file(tmp_path: Path, place: str, older: bool) -> None:
    """An executor starts beside it and has its events in memory, and in the file if that is free."""
    path = tmp_path / FILE
    obstacle = path.with_name(f"{FILE}.1") if older else path
    PLACES[place](obstacle)
    before = obstacle.lstat()
    async with asyncio.timeout(10):
        journal = await asyncio.to_thread(Journal, path, max_bytes=1000)
        for _ in range(30):
            await asyncio.to_thread(journal.append, {"code": "pod.running", "message": "x" * 100})
    assert len(journal.events()) == 30
    assert older or journal.failure
    journal.close()
    if place == "link":
        assert (tmp_path / "outside").read_bytes() == b"first\nhalf a line", "nothing of the node was cut off"
    if older:
        assert path.stat().st_size <= 1000, "without a place for the older part it grows no further"
        assert await asyncio.to_thread(read, tmp_path)
    else:
        assert obstacle.lstat() == before
        with pytest.raises(OSError, match=r"symbolic links|regular file"):
            await asyncio.to_thread(read, tmp_path)


def test_of_a_huge_file_the_newest_lines_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + json.dumps(GOOD).encode() + b"\n")
    assert READ_MAX_BYTES < 1 << 26
    monkeypatch.setattr(journal_files, "READ_MAX_BYTES", 1 << 20)
    assert read(tmp_path) == [GOOD]
    assert Journal(path).last_seq == 7
    assert path.stat().st_size > 1 << 40


def test_several_journals_are_merged_and_a_clock_that_is_set_back_moves_no_event_before_an_earlier_one() -> None:
    def journal(name: str, *seconds: int) -> list[dict[str, Any]]:
        times = [f"2026-01-01T00:00:{second:02}.000Z" for second in seconds]
        return [{"seq": seq, "time": time, "of": name} for seq, time in enumerate(times, start=1)]

    events = merged([journal("a", 10, 20, 5, 6, 30), journal("b", 1, 15, 25)])
    assert [(event["of"], event["seq"]) for event in events] == [
        *(("b", 1), ("a", 1), ("b", 2), ("a", 2), ("a", 3), ("a", 4), ("b", 3), ("a", 5))
    ]
