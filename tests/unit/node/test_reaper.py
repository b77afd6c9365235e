"""What dead executors left is released: all of it, nothing of others, and what fails is left to the next reaper.

Real locks and files; the records are those of a containerd in the test (tests/support/empty_containerd.py). Cgroups,
mounts and namespaces need root: tests/integration and tests/crash have them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from executor import config
from executor.config import Config
from executor.containerd import Containerd
from executor.containerd.api import containers_pb2, leases_pb2
from executor.dns import HostsDir
from executor.names import LOCK_LABEL, OWNER_LABEL, POD_LABEL, MesosContainerId
from executor.node import claims as owners
from executor.node import reaper
from executor.node.judgement import NO_IDENTITY
from executor.node.reaper import Reaped
from tests.support.empty_containerd import Calls, empty_containerd

DEAD = MesosContainerId("11111111-aaaa-bbbb-cccc-222222222222")
OTHER = MesosContainerId("33333333-aaaa-bbbb-cccc-222222222222")
HOSTS = "# pod web\n192.0.2.7 web.default.pod.cluster.local\n"


class DiedError(Exception):
    """Ends a claim as the end of its process does: the file stays, without a lock."""


@dataclass
class Node:
    """`records`: the containers of containerd and the leases of their creations, with their labels."""

    config: Config
    containerd: Containerd
    calls: Calls
    records: dict[str, dict[str, str]] = field(default_factory=dict)
    late: dict[str, dict[str, str]] = field(default_factory=dict)
    """What containerd makes once it has been asked to delete something."""

    def __post_init__(self) -> None:
        self.calls.containers = self._containers
        self.calls.replies["Leases/List"] = self._leases
        self.calls.replies["Containers/Delete"] = self._delete

    @property
    def run_dir(self) -> Path:
        return Path(self.config.node.run_dir)

    @property
    def hosts(self) -> HostsDir:
        return HostsDir(Path(self.config.dns.hosts_dir))

    def names(self) -> frozenset[str]:
        """The owners of which names are published."""
        return self.hosts.owners()

    @contextlib.contextmanager
    def claimed(self, container: MesosContainerId) -> Iterator[None]:
        """An executor with a container and names."""
        with owners.claim(self.run_dir, container, "", hosts_dir=str(self.hosts.path)) as claim:
            self.records[f"{container}-app"] = self.labels(container, claim.identity)
            self.hosts.ensure()
            self.hosts.mark(container, claim.identity)
            self.hosts.write(container, "pod-1", HOSTS)
            yield

    def labels(self, container: MesosContainerId, identity: str) -> dict[str, str]:
        return {OWNER_LABEL: container, LOCK_LABEL: identity, POD_LABEL: f"pod-{container}"}

    def died(self, container: MesosContainerId) -> None:
        with contextlib.suppress(DiedError), self.claimed(container):
            raise DiedError

    async def reap(self, only: str = "") -> Reaped:
        return await reaper.reap(self.config, self.containerd, only=only)

    def _wanted(self, filters: list[str]) -> dict[str, dict[str, str]]:
        owner = next((each for each in (DEAD, OTHER) if any(each in text for text in filters)), "")
        return {name: labels for name, labels in self.records.items() if owner in ("", labels[OWNER_LABEL])}

    def _containers(self, request: bytes) -> list[bytes]:
        found = self._wanted(list(containers_pb2.ListContainersRequest.FromString(request).filters))
        listed = [containers_pb2.Container(id=name, labels=labels) for name, labels in found.items()]
        return [bytes(containers_pb2.ListContainerMessage(container=each).SerializeToString()) for each in listed]

    def _leases(self, request: bytes) -> bytes:
        found = self._wanted(list(leases_pb2.ListRequest.FromString(request).filters))
        listed = [leases_pb2.Lease(id=f"{name}-1", labels=labels) for name, labels in found.items()]
        return bytes(leases_pb2.ListResponse(leases=listed).SerializeToString())

    def _delete(self, request: bytes) -> bytes:
        del self.records[containers_pb2.DeleteContainerRequest.FromString(request).id]
        self.records.update(self.late)
        self.late = {}
        return b""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    text = f"""
        [containerd]
        address = "{tmp_path}/c.sock"
        [node]
        run_dir = "{tmp_path}/run"
        state_dir = "{tmp_path}/state"
        [dns]
        hosts_dir = "{tmp_path}/hosts"
        [cni]
        config_dir = "{tmp_path}/net.d"
        [cgroups]
        root = "/mesos-pod-executor-unit-tests"
    """
    found = config.load(text, {})
    async with empty_containerd(tmp_path / "c.sock") as calls:
        containerd = await Containerd.connect(found.containerd.address, found.containerd.namespace)
        yield Node(found, containerd, calls)
        await containerd.close()


async def test_all_of_a_dead_executor_goes_and_nothing_of_a_living_one(node: Node) -> None:
    node.died(DEAD)
    with node.claimed(OTHER):
        found = await node.reap()
        assert (found.owners, found.failed, found.unknown) == ([DEAD], [], {}) and found.living == {OTHER}
        assert found.counts == {"containers": 1, "leases": 1, "names": 1}
        assert list(node.records) == [f"{OTHER}-app"] and node.names() == {OTHER}
        assert owners.names(node.run_dir) == {OTHER} and owners.was_reaped(node.run_dir, DEAD)
        again = await node.reap()
        assert (again.owners, again.counts) == ([], {})


async def test_one_that_is_named_is_reaped_alone(node: Node) -> None:
    node.died(DEAD)
    node.died(OTHER)
    assert (await node.reap(only=OTHER)).owners == [OTHER]
    assert list(node.records) == [f"{DEAD}-app"] and node.names() == {DEAD}


async def test_what_no_lock_proves_is_reported_and_not_touched(node: Node) -> None:
    node.died(DEAD)
    node.records["lost"] = {OWNER_LABEL: DEAD, POD_LABEL: "pod-2"}
    found = await node.reap()
    assert (found.owners, found.unknown) == ([], {DEAD: NO_IDENTITY})
    assert set(node.records) == {f"{DEAD}-app", "lost"} and node.names() == {DEAD}


async def test_a_step_that_fails_holds_up_no_other_and_is_left_to_the_next_reaper(node: Node) -> None:
    node.died(DEAD)
    in_the_way = node.hosts.path / f"{DEAD}.pod-2"
    in_the_way.mkdir()
    found = await node.reap()
    assert len(found.failed) == 1 and str(in_the_way) in found.failed[0] and DEAD in found.failed[0]
    assert node.records == {} and owners.names(node.run_dir) == {DEAD}
    in_the_way.rmdir()
    assert (await node.reap()).failed == []
    assert owners.names(node.run_dir) == set() and node.names() == set()


async def test_what_containerd_makes_late_is_released_in_the_same_reaping(node: Node) -> None:
    """For a call that it had from the executor before that died."""
    node.died(DEAD)
    node.late = {"late": node.records[f"{DEAD}-app"]}
    found = await node.reap()
    assert (found.failed, found.counts["containers"], node.records) == ([], 2, {})
