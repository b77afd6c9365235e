"""Which group is the Mesos container's, by where the agent put the executor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cgroups import Hierarchies, Membership
from executor.names import MesosContainerId
from executor.process.own_cgroups import agent_ends_pods, container_root

ID = MesosContainerId("c4d5-1111")


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        ({"freezer": f"/mesos/{ID}", "cpu": f"/mesos/{ID}", "": "/"}, f"/mesos/{ID}"),
        ({"freezer": "/", "": f"/mesos/{ID}"}, f"/mesos/{ID}"),
        ({"": f"/mesos/{ID}/leaf"}, f"/mesos/{ID}"),
        ({"": f"/system.slice/mesos-slave.service/mesos/{ID}/leaf"}, f"/system.slice/mesos-slave.service/mesos/{ID}"),
        ({"": "/system.slice/mesos-slave.service"}, None),
        ({"": f"/mesos/{ID}/other"}, None),
        ({"": f"/mesos/another-{ID}/leaf"}, None),
        ({"": "/mesos/leaf"}, None),
        ({}, None),
    ],
)
def test_the_root_is_the_containers_group(paths: Mapping[str, str], root: str | None) -> None:
    assert container_root(paths, ID) == root


@pytest.mark.parametrize("path", [f"/mesos/{ID}", f"/mesos/{ID}/leaf"])
def test_a_group_that_holds_the_process_is_not_elsewhere(path: str) -> None:
    """It is the agent's, and is not removed."""
    hierarchies = Hierarchies({"cpu": Path("/v1/cpu"), "freezer": Path("/v1/freezer")}, Path("/v2"))
    member = Membership(1, {"cpu": "/", "freezer": f"/mesos/{ID}", "": path})
    assert member.elsewhere(hierarchies, f"/mesos/{ID}") == Hierarchies({"cpu": Path("/v1/cpu")}, None)
    assert Membership(1, {"": f"/mesos/{ID}-2"}).elsewhere(hierarchies, f"/mesos/{ID}") == hierarchies


V2, HYBRID = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")


@pytest.mark.parametrize(
    ("unified", "paths", "ends"),
    [
        (HYBRID, {"freezer": f"/mesos/{ID}", "": "/"}, True),
        (HYBRID, {"freezer": "/", "": "/system.slice/mesos-slave.service"}, False),
        (HYBRID, {"freezer": "/", "": f"/mesos/{ID}"}, False),
        (None, {"freezer": f"/mesos/{ID}"}, True),
        (V2, {"": f"/mesos/{ID}"}, True),
        (V2, {"": f"/mesos/{ID}/leaf"}, True),
        (V2, {"freezer": f"/mesos/{ID}", "": "/"}, False),
        (V2, {"": "/system.slice/mesos-slave.service"}, False),
    ],
    ids=["linux", "posix", "no freezer", "v1", "v2", "leaf", "v2 with a v1 freezer that runc does not use", "v2 posix"],
)
def test_the_agent_ends_what_is_in_its_own_group(unified: Path | None, paths: Mapping[str, str], *, ends: bool) -> None:
    freezer = {"freezer": Path("/sys/fs/cgroup/freezer")}
    assert agent_ends_pods(paths, f"/mesos/{ID}", Hierarchies(freezer, unified)) is ends
