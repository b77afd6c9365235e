"""One node for all tests. Its agent has the posix launcher: the isolators of Mesos 1.11 do not start on cgroup v2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.rig import OPTIONS, Rig
from tests.vm.groups import ON_V2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not ON_V2:
        for item in items:
            if item.path.parent.name == "vm":
                item.add_marker(pytest.mark.skip("needs a machine with cgroup v2 alone: tests/run vm"))


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    with Rig(replace(OPTIONS, launcher="posix")) as node:
        yield node
