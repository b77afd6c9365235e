"""A real node whose roles have the level baseline, with lists, and whose pods have no network if they name none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.mesos.sharing import SharingScheduler
from tests.support.rig import Rig


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the node that pods may use; `library` below it they may only read."""
    directory = tmp_path_factory.mktemp("shown")
    (directory / "library").mkdir()
    return directory


@pytest.fixture(scope="module")
def rig(shown: Path) -> Iterator[Rig]:
    default = f'{{level = "baseline", host_paths = ["{shown}", "{shown}/library:ro"], devices = ["/dev/fuse"]}}'
    config = {"POLICY_DEFAULT": default, "POLICY_ROLES": '{eng = "restricted"}', "CNI_DEFAULT_NETWORK": "none"}
    with Rig(config=config) as node:
        yield node


@pytest.fixture(scope="module")
def scheduler(rig: Rig) -> Iterator[SharingScheduler]:
    with SharingScheduler(rig.cluster.endpoint, name="policy") as framework:
        framework.launch([rig.pod("keeper")], rig.executor())
        framework.wait_status("keeper", "TASK_RUNNING", 30)
        yield framework
    assert not any((leaks := rig.wait_clean()).values()), leaks


@pytest.fixture
def room(scheduler: SharingScheduler) -> Iterator[None]:
    """For another framework: this one holds no offers meanwhile."""
    scheduler.release()
    yield
    scheduler.revive()
