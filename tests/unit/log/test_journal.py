"""The journal: numbers, the file and its end, followers that are slow, and disks that fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from executor import log
from executor.log import get_logger
from executor.log.journal import Journal
from executor.log.journal_files import Event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


@contextlib.contextmanager
def logged_to(journal: Journal) -> Iterator[log.Logger]:
    remove = log.add_sink(journal.append)
    try:
        yield get_logger("test")
    finally:
        remove()
        journal.close()


def record(code: str = "pod.running", **keys: Any) -> dict[str, Any]:
    return {"time": "2024-01-01T00:00:00.000Z", "code": code, "message": "m", **keys}


def in_file(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def take(events: AsyncGenerator[Event, None], count: int) -> list[Event]:
    async with asyncio.timeout(5):
        return [await anext(events) for _ in range(count)]


def test_a_log_line_with_a_code_is_an_event(path: Path) -> None:
    with logged_to(journal := Journal(path)) as logger:
        logger.bind(pod="pod-1").info("the pod runs", code="pod.running", ips=["10.0.0.2/24"])
        logger.debug("an RPC", pid=1)
    (event,) = in_file(path)
    assert (event["seq"], event["code"], event["pod"], event["ips"]) == (1, "pod.running", "pod-1", ["10.0.0.2/24"])
    assert list(event)[:5] == ["seq", "time", "level", "code", "message"]
    assert journal.events() == [event]
    assert path.stat().st_mode & 0o777 == 0o600


def test_numbers_go_on_in_the_same_sandbox(path: Path) -> None:
    first = Journal(path)
    first.append(record())
    first.append(record())
    first.close()
    second = Journal(path)
    second.append(record("pod.ended"))
    second.close()
    assert [event["seq"] for event in in_file(path)] == [1, 2, 3]
    assert [event["seq"] for event in second.events(since=1)] == [2, 3]


def test_a_line_torn_by_death_is_cut_off(path: Path) -> None:
    path.write_text(json.dumps({"seq": 1, **record()}) + '\nnot json\n[]\n{"seq": 2, "co')
    journal = Journal(path)
    journal.append(record())
    journal.close()
    assert [event["seq"] for event in journal.events()] == [1, 2]
    assert json.loads(path.read_text().splitlines()[-1])["seq"] == 2


def test_the_file_is_bounded_by_one_rotation(path: Path) -> None:
    journal = Journal(path, max_bytes=1000)
    for number in range(100):
        journal.append(record(pid=number))
    journal.close()
    older = path.with_name("journal.jsonl.1")
    assert path.stat().st_size <= 1000
    assert older.stat().st_size <= 1000
    numbers = [event["pid"] for event in in_file(older) + in_file(path)]
    assert numbers == list(range(100 - len(numbers), 100))
    assert Journal(path).last_seq == 100


def test_memory_is_bounded() -> None:
    journal = Journal(None, kept=10)
    for _ in range(25):
        journal.append(record())
    assert [event["seq"] for event in journal.events()] == list(range(16, 26))


@pytest.mark.root
def test_a_disk_that_fails_is_told_once_and_forgiven(path: Path) -> None:
    """The sandbox is missing: the first write fails, later ones are tried again, and it works when it is there."""
    sandbox = path.parent / "sandbox"
    with logged_to(journal := Journal(sandbox / path.name)) as logger:
        logger.info("the pod runs", code="pod.running")
        logger.info("the pod runs", code="pod.running")
        assert "No such file" in journal.failure
        assert [event["code"] for event in journal.events()] == ["pod.running", "journal.write_failed", "pod.running"]
        sandbox.mkdir()
        logger.info("the pod runs", code="pod.running")
        assert journal.failure == ""
    assert [event["seq"] for event in in_file(sandbox / path.name)] == [4]


def test_a_full_disk_raises_nothing(path: Path) -> None:
    """A limit on the size of files stands for it: the first bytes of the line are written, and taken away again."""
    journal = Journal(path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        journal.append(record())
        journal.append(record())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "space" in journal.failure and path.read_bytes() == b""
    journal.append(record())
    journal.close()
    assert [event["seq"] for event in in_file(path)] == [journal.last_seq]


async def test_followers_get_what_was_and_what_comes() -> None:
    journal = Journal(None)
    journal.append(record(pid=1))
    async with contextlib.aclosing(journal.follow(since=0)) as all_events, contextlib.aclosing(journal.follow()) as new:
        assert [event["pid"] for event in await take(all_events, 1)] == [1]
        waiting = [asyncio.ensure_future(take(each, 2)) for each in (all_events, new)]
        await asyncio.sleep(0)
        journal.append(record(pid=2))
        await asyncio.sleep(0)
        journal.append(record(pid=3))
        assert [[event["pid"] for event in events] for events in await asyncio.gather(*waiting)] == [[2, 3], [2, 3]]


async def test_a_slow_follower_is_told_what_it_missed() -> None:
    journal = Journal(None, kept=3)
    journal.append(record())
    async with contextlib.aclosing(journal.follow(since=0)) as events:
        await take(events, 1)
        for _ in range(10):
            journal.append(record())
        gap, *rest = await take(events, 4)
    assert (gap["code"], gap["count"], gap["seq"]) == ("journal.gap", 7, 8)
    assert [event["seq"] for event in rest] == [9, 10, 11]


async def test_closing_ends_the_followers_after_the_last_event() -> None:
    journal = Journal(None)
    events = journal.follow()
    first = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    journal.append(record(pid=1))
    journal.append(record(pid=2))
    journal.close()
    assert (await first)["pid"] == 1
    assert [event["pid"] async for event in events] == [2]


def append_hundred(journal: Journal) -> None:
    for _ in range(100):
        journal.append(record())


async def test_events_of_other_threads_arrive() -> None:
    journal = Journal(None)
    async with contextlib.aclosing(journal.follow()) as events:
        first = asyncio.ensure_future(take(events, 400))
        await asyncio.sleep(0)
        threads = [threading.Thread(target=append_hundred, args=(journal,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        numbers = [event["seq"] for event in await first]
        for thread in threads:
            thread.join()
    assert numbers == list(range(1, 401))


async def test_a_follower_that_left_costs_nothing() -> None:
    journal = Journal(None)
    events = journal.follow(since=0)
    journal.append(record())
    await take(events, 1)
    assert len(journal._followers) == 1
    await events.aclose()
    assert not journal._followers
