"""What the containers of a pod share: made whole or not at all, held against what a container puts in its place, and
removed in any state. On a node of directories (nodes.py), with pods on the node's network and without volumes: these
and namespaces need root.
"""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from executor.cni import Attachment
from executor.dns import HostsDir, Names
from executor.dns.names import Zones
from executor.errors import CgroupFailure, Failure
from executor.names import AgentId, PodId
from executor.oci.mounts import NOTICE
from executor.pod.sandbox import GENERATED, Sandbox
from executor.spec.model import PodSpec
from tests.support.empty_containerd import empty_containerd
from tests.unit.pod.lives import spec
from tests.unit.pod.nodes import OWNER, opened

POD = PodId("pod-1")
WEB = replace(spec(), name="web", hostname="web", host_network=True)


@dataclass
class Place:
    """A sandbox that is not prepared, and where its things appear."""

    sandbox: Sandbox
    hosts: Path
    cgroup: Path

    @property
    def directory(self) -> Path:
        return self.sandbox.directory

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir()) if self.directory.exists() else []

    async def release(self, **options: Any) -> list[str]:
        """All that is done after the containers, in its order; what was left."""
        leaks = [*await self.sandbox.release_network(), *await self.sandbox.release_cgroup()]
        return [each.what for each in (*leaks, *await self.sandbox.remove_files(**options))]


@pytest.fixture
async def place(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    made: PodSpec = getattr(request, "param", WEB)
    (tmp_path / "sandbox").mkdir()
    hosts = HostsDir(tmp_path / "hosts")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(empty_containerd(tmp_path / "c.sock"))
        node = await opened(tmp_path, stack, Names(hosts, OWNER, AgentId("a"), Zones()))
        sandbox = Sandbox(node, POD, made)
        yield Place(sandbox, hosts.path, tmp_path / "cgroup" / sandbox.cgroup.path.lstrip("/"))


async def test_it_is_made_whole_and_its_logs_and_notice_are_left(place: Place) -> None:
    await place.sandbox.prepare()
    await place.sandbox.connect()
    assert place.cgroup.is_dir()
    assert place.names == sorted([*GENERATED, NOTICE])
    assert (place.directory / "hostname").read_text() == "web\n"
    volume = place.sandbox.image_volume("data")
    assert stat.S_IMODE(volume.stat().st_mode) == 0o755 and volume.parent == place.directory / "volumes"
    assert [path.name for path in place.hosts.iterdir() if path.is_file()] == [f"{OWNER}.{POD}"]
    assert place.sandbox.labels
    place.sandbox.check_files()

    (place.directory / "app.stdout").write_text("log\n" * 50_000)
    (volume / "file").touch()
    assert await place.release() == []
    assert not place.cgroup.exists() and place.names == ["app.stdout", NOTICE]
    assert [path for path in place.hosts.iterdir() if path.is_file()] == [] and not place.sandbox.labels
    assert await place.release() == [], "a second release is nothing"


async def test_what_was_not_made_is_released(place: Place) -> None:
    """A pod that ends before its set-up, and one whose set-up ended at its files."""
    assert await place.release() == []
    place.directory.parent.mkdir()
    place.directory.write_text("in the way")
    with pytest.raises(Failure, match="work directory"):
        await place.sandbox.prepare()
    assert place.cgroup.is_dir()
    place.directory.unlink()
    assert await place.release() == []
    assert not place.cgroup.exists()


async def test_a_cgroup_that_cannot_be_made_fails_the_pod_by_its_path(place: Place) -> None:
    place.cgroup.parent.parent.mkdir(parents=True, exist_ok=True)
    place.cgroup.parent.write_text("in the way")
    with pytest.raises(CgroupFailure) as caught:
        await place.sandbox.prepare()
    assert caught.value.subject == place.sandbox.cgroup.path and not place.directory.exists()


@pytest.mark.parametrize("name", [*GENERATED, NOTICE])
async def test_what_a_container_puts_in_place_of_a_file_is_not_mounted(place: Place, name: str) -> None:
    await place.sandbox.prepare()
    path = place.directory / name
    path.rename(path.with_name("moved"))
    with pytest.raises(Failure, match="look at who may write"):
        place.sandbox.check_files()
    path.symlink_to(path.with_name("moved"))
    with pytest.raises(Failure, match="look at who may write"):
        place.sandbox.check_files()


async def test_a_pod_without_names_runs_and_one_whose_names_stay_is_released_again(place: Place) -> None:
    await place.sandbox.prepare()
    place.hosts.write_text("in the way")
    await place.sandbox.connect()
    assert place.sandbox.labels, "other nodes can still publish them"
    assert await place.release() == ["names"], "and the rest is released"
    assert not place.cgroup.exists() and place.names == [NOTICE]
    place.hosts.unlink()
    assert await place.release() == []


async def test_the_logs_of_a_pod_over_its_disk_keep_their_ends(place: Place) -> None:
    await place.sandbox.prepare()
    (place.directory / "app.stdout").write_bytes(b"a" * 100_000 + b"end")
    (place.directory / "app.stdout.1").write_bytes(b"older")
    assert await place.release(over_disk=True) == []
    assert place.names == ["app.stdout", NOTICE]
    kept = (place.directory / "app.stdout").read_bytes()
    assert kept.endswith(b"end") and len(kept) < 100_000


async def test_the_files_that_hold_names_are_replaced_in_place(place: Place) -> None:
    """A container that is there has them mounted: another file would not be its own."""
    await place.sandbox.prepare()
    before = {name: (place.directory / name).stat().st_ino for name in GENERATED}
    await place.sandbox.connect()
    assert {name: (place.directory / name).stat().st_ino for name in GENERATED} == before


@pytest.mark.parametrize("place", [replace(WEB, host_network=False)], indirect=True)
def test_the_addresses_are_those_of_its_networks(place: Place) -> None:
    assert place.sandbox.addresses == ("127.0.0.1",), "without networks: the executor's"
    place.sandbox.attachments = (
        Attachment("lo", "lo", ("127.0.0.1/8", "::1/128")),
        Attachment("a", "eth0", ("192.0.2.7/24", "2001:db8::7/64", "no address")),
    )
    assert place.sandbox.ips == ("192.0.2.7", "2001:db8::7")
