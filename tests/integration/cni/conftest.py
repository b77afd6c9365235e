"""A lab for every test; none without a network namespace that is the tests' own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cni.lab import Lab


@pytest.fixture(autouse=True)
def private_network() -> None:
    if os.environ.get("MPE_TEST_NAMESPACE") != "1":
        pytest.skip("changes the network: tests/run runs it in a namespace of its own (MPE_TEST_NAMESPACE=1)")


@pytest.fixture
def lab(private_network: None, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(tmp_path)
    yield made
    made.close()
