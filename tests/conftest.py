"""What every test shares: the markers' meaning, one way of generating examples, and a node where one is asked for.

A test that needs what packaging/prepare makes is skipped where pytest is called by hand without it; tests/run has
called packaging/prepare, so there (MPE_TEST_PREPARED) it fails instead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.support.mesos.scheduler import Scheduler
    from tests.support.rig import Rig

ROOT = Path(__file__).resolve().parent.parent

# The same examples every time and on every machine; tests/fuzz is where new ones are looked for.
# The suite `unit` has fewer of each property, `fuzz` more (suites.py, tests/fuzz/test_properties.py).
EXAMPLES = int(os.environ.get("MPE_TEST_EXAMPLES", "100"))
settings.register_profile("repeatable", max_examples=EXAMPLES, derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # What a shell without job control starts with & ignores it, and so would what the tests interrupt with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")
    if item.get_closest_marker("mesos") and not mesos_is_there() and "MPE_TEST_PREPARED" not in os.environ:
        pytest.skip("needs the Mesos that packaging/prepare builds")


def mesos_is_there() -> bool:
    return (Path(os.environ.get("MPE_TEST_MESOS") or ROOT / ".build/mesos") / "bin/mesos-node").exists()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """A node for each module; one that needs it otherwise has a fixture of this name itself."""
    from tests.support.rig import Rig  # unit tests do without

    with Rig() as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    """A framework of its own for each test, and after it nothing of its executors on the node."""
    failed = request.session.testsfailed
    with rig.scheduler(name=request.node.name) as framework:
        yield framework
        if request.session.testsfailed > failed:
            rig.keep_evidence()
    assert not any((leaks := rig.wait_clean()).values()), leaks
