"""One node for each module of this suite, and a framework for each test that leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    failed = request.session.testsfailed
    with rig.scheduler(name=request.node.name) as framework:
        yield framework
        if request.session.testsfailed > failed:
            rig.keep_evidence()
    assert not any((leaks := rig.wait_clean()).values()), leaks
