"""What is told of a stream: each loss at once, not too often while it lasts, and its total; every byte once."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from executor.log import get_logger
from executor.output import slots
from executor.output.slots import SLOTS, Slots
from executor.output.telling import Telling

SLOT = SLOTS - 1


@pytest.fixture
def counters() -> Iterator[Slots]:
    file = slots.memory()
    mapped = Slots(file)
    yield mapped
    mapped.close()
    os.close(file)


@pytest.fixture
def telling() -> Telling:
    return Telling(get_logger("test"), Path("/sandbox/app.stdout"))


def sizes(records: list[Mapping[str, Any]], code: str) -> list[int]:
    return [each["size_bytes"] for each in records if each["code"] == code]


def test_a_loss_is_told_at_once_and_its_total_when_it_is_over(
    counters: Slots, records: list[Mapping[str, Any]], telling: Telling
) -> None:
    counters.set(SLOT, slots.ERRNO, errno.ENOSPC)
    for _ in range(5):
        counters.add(SLOT, slots.DROPPED, 10)
        telling.look(counters, SLOT)
    assert sizes(records, "pod.log_dropped") == [10] and records[0]["error"] == "No space left on device"
    counters.set(SLOT, slots.ERRNO, 0)
    telling.look(counters, SLOT)
    assert sizes(records, "pod.log_dropped") == [10, 40] and sizes(records, "pod.log_recovered") == [50]
    assert {each["error"] for each in records if each["code"] == "pod.log_dropped"} == {"No space left on device"}
    telling.look(counters, SLOT, last=True)
    assert len(records) == 3, "nothing is new"


def test_a_second_loss_has_a_total_of_its_own(
    counters: Slots, records: list[Mapping[str, Any]], telling: Telling
) -> None:
    for size_bytes in (10, 7):
        counters.add(SLOT, slots.DROPPED, size_bytes)
        telling.look(counters, SLOT)
    assert sizes(records, "pod.log_dropped") == [10, 7] == sizes(records, "pod.log_recovered")


def test_the_end_of_the_stream_ends_a_loss(counters: Slots, records: list[Mapping[str, Any]], telling: Telling) -> None:
    counters.set(SLOT, slots.ERRNO, errno.ETIMEDOUT)
    counters.add(SLOT, slots.DROPPED, 10)
    telling.look(counters, SLOT)
    counters.add(SLOT, slots.DROPPED, 5)
    telling.look(counters, SLOT, last=True)
    assert sizes(records, "pod.log_dropped") == [10, 5] and sizes(records, "pod.log_recovered") == [15]


def test_rotations_are_told_together(counters: Slots, records: list[Mapping[str, Any]], telling: Telling) -> None:
    for last in (False, False, False, True):
        counters.add(SLOT, slots.ROTATED, 100)
        telling.look(counters, SLOT, last=last)
    assert sizes(records, "pod.log_rotated") == [100, 300]
