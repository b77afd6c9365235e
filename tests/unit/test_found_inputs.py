"""Inputs that broke a reader once, as tests/fuzz found them: each is read, or refused with the reader's own error."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.fuzz.limits import within
from tests.fuzz.process import FOUND
from tests.fuzz.targets import TARGETS

INPUTS = [path for name in TARGETS for path in sorted((FOUND / name).glob("*"))]


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_read_or_refused(path: Path) -> None:
    within(TARGETS[path.parent.name].read, path.read_bytes(), cpu_s=5.0)


def test_every_input_has_a_reader() -> None:
    assert {path.name for path in FOUND.iterdir()} <= set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read(name: str) -> None:
    for data in itertools.islice(TARGETS[name].seeds(), 12):
        TARGETS[name].read(data)
