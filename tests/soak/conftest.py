"""The options of the suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--month", action="store_true", help="the month on 100 machines instead, which takes half an hour")
    parser.addoption("--seed", type=int, default=1, help="of the month")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.config.getoption("--month") != (item.path.name == "test_month.py"):
        pytest.skip("--month is about the other test")
