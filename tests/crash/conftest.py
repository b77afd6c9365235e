"""A containerd and a launcher of single containers, as in the tests of the adapter."""

from __future__ import annotations

import pytest

from tests.integration.containerd.conftest import busybox, client, launcher, node

__all__ = ["busybox", "client", "launcher", "node"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--seams=all` is the long form of test_seams.py, `--cycles`, `--seed` are test_cycles.py's."""
    parser.addoption("--seams", default="few")
    parser.addoption("--cycles", type=int, default=32)
    parser.addoption("--seed", type=int, default=194)
