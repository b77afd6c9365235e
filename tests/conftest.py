"""What every test shares: the meaning of the markers, and one way of generating examples.

A test that needs what packaging/prepare makes is skipped where pytest is called by hand without it; tests/run has
called packaging/prepare, so there (MPE_TEST_PREPARED) it fails instead.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The same examples every time and on every machine; tests/fuzz is where new ones are looked for.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")
    if item.get_closest_marker("mesos") and not mesos_is_there() and "MPE_TEST_PREPARED" not in os.environ:
        pytest.skip("needs the Mesos that packaging/prepare builds")


def mesos_is_there() -> bool:
    return (Path(os.environ.get("MPE_TEST_MESOS") or ROOT / ".build/mesos") / "bin/mesos-node").exists()
