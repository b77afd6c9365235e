"""Tasks that name no image: they run on the node's own file system, and the policy of their role says whether."""

from __future__ import annotations

from typing import Any

import pytest

from executor.config.role_policy import RolePolicy
from executor.errors import InvalidTask
from executor.policy.violations import NodeFacts, admit, violations
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec, Policy
from executor.spec.volume_model import HostPath
from tests.unit.pod.samples import Document, pod, scalar, task

NODE = NodeFacts(default_network="podnet", shares_network=False, protected=("/var/lib/containerd",))


def member(**fields: Any) -> Document:
    return task(task_id="a", resources=[scalar("cpus", 0.1), scalar("mem", 32)], command={"value": "ls"}, **fields)


def launched(policy: Policy | None = None, **fields: Any) -> PodSpec:
    return parse_launch([member(**fields)], group=True, policy=policy or Policy())


@pytest.mark.parametrize("fields", [{}, {"container": {"type": "MESOS"}}])
def test_a_task_without_an_image_has_the_node_s_root(fields: Document) -> None:
    found = launched(**fields)
    assert found.containers[0].image == "/"
    (root,) = found.host_paths
    assert (root.path, root.field, root.is_root) == ("/", "tasks[0].container", True)
    assert root.name not in {mount.volume for mount in found.containers[0].mounts}


def test_a_default_image_is_in_the_place_of_the_node_s_root() -> None:
    found = launched(Policy(default_image="busybox"))
    assert (found.containers[0].image, found.host_paths) == ("busybox", ())


@pytest.mark.parametrize("policy", [{}, {"level": "restricted"}, {"host_paths": ["/srv"]}])
def test_only_a_privileged_role_has_it(policy: Document) -> None:
    found = violations(launched(), RolePolicy.of(policy), NODE)
    assert [each.path for each in found if each.control == "HostPath Volumes"] == ["tasks[0].container"]
    assert "names no image" in next(each for each in found if each.control == "HostPath Volumes").fault.message
    privileged = RolePolicy.of({"level": "privileged"})
    assert admit(launched(), privileged, NODE).host_paths[0].closed == NODE.protected


@pytest.mark.parametrize("name", ["/", "//", ""])
def test_no_name_of_an_image_means_it(name: str) -> None:
    image = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": name}}}}
    with pytest.raises(InvalidTask, match="names no image"):
        launched(container=image)
    with pytest.raises(InvalidTask, match="names no image"):
        launched(container={"type": "DOCKER", "docker": {"image": name, "network": "BRIDGE"}})
    with pytest.raises(InvalidTask, match="names no image"):
        parse_launch([task(pod({"image": name}))], group=False)


def test_a_default_image_of_that_name_is_judged_as_well() -> None:
    """A framework may choose the key."""
    found = launched(Policy(default_image="/"))
    assert isinstance(found.volumes[0], HostPath) and found.volumes[0].is_root
