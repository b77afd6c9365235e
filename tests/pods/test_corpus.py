"""What share of the pods that people have is accepted by the reading of a launch."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.pods import corpus
from tests.pods.corpus import Read

ACCEPTED_AT_LEAST = 0.92


@pytest.fixture(scope="module")
def found() -> list[Read]:
    return corpus.read()


def test_what_people_have_is_accepted(found: list[Read], tell: Callable[[str], None]) -> None:
    tell("\n".join(corpus.table(found).splitlines()[:2]))
    assert sum(each.spec is not None for each in found) / len(found) >= ACCEPTED_AT_LEAST, corpus.table(found)


def test_a_refusal_names_every_fault_once(found: list[Read]) -> None:
    for each in found:
        paths = [fault.subject for fault in each.faults]
        assert len(paths) == len(set(paths)), paths
        assert all(path and fault.message for path, fault in zip(paths, each.faults, strict=True))


def test_reading_takes_milliseconds(found: list[Read]) -> None:
    begin_s = time.process_time()
    again = corpus.read()
    assert (time.process_time() - begin_s) / len(again) < 0.02
    assert [each.spec for each in again] == [each.spec for each in found]
