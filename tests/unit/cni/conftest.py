"""Fixtures of the CNI runtime's unit tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cni.bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
