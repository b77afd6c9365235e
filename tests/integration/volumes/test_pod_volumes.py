"""The volumes of one pod on a real node: what containers would find, and what is left after the release."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from executor.errors import Failure
from executor.spec.volume_model import EmptyDir, HostPath, VolumeMount
from executor.volumes import pod_volumes
from executor.volumes.ownership import Ownership
from tests.integration.volumes.pods import FIXED, OPTIONAL, Node, container, settings
from tests.support.hung_fs import LOOKUP, SILENT, HungFs

pytestmark = pytest.mark.root

PARTS = 64


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Threads meet in the middle of what they do."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


async def test_everything_is_there_and_goes(node: Node) -> None:
    (node.data / "a/b").mkdir(parents=True)
    volumes = node.volumes(
        HostPath("data", str(node.data)), EmptyDir("mem", in_memory=True), FIXED, objects=settings(key="1")
    )
    await volumes.prepare()
    mounts = (
        VolumeMount("data", "/d", sub_path="a/b"),
        VolumeMount("mem", "/m"),
        VolumeMount("conf", "/c", sub_path="key"),
    )
    found = await volumes.sources(container(*mounts), {})
    (node.data / "a/b/file").write_text("x")
    assert (found[0] / "file").read_text() == "x"
    assert found[2].read_text() == "1"
    await volumes.write_private("id", "secret")
    private = node.run / "pod" / pod_volumes.PRIVATE / "id"
    assert (private.read_text(), private.stat().st_mode & 0o777) == ("secret", 0o600)
    assert len(node.mounts()) == 6
    await volumes.release()
    await volumes.release()
    assert node.mounts() == [] and list(node.run.iterdir()) == []
    assert (node.data / "a/b/file").read_text() == "x"


@pytest.mark.parametrize("_", range(3))
async def test_containers_that_are_made_at_the_same_time_get_their_own_parts(
    node: Node, quick_switches: None, _: int
) -> None:
    for number in range(PARTS):
        (node.data / str(number)).mkdir()
        (node.data / str(number) / "own").write_text(str(number))
    mounts = [VolumeMount("data", f"/{number}", sub_path=str(number)) for number in range(PARTS)]
    made = [replace(container(*mounts[at::8]), name=f"c{at}") for at in range(8)]
    volumes = node.volumes(HostPath("data", str(node.data)))
    await volumes.prepare()
    found = await asyncio.gather(*(volumes.sources(each, {}) for each in made))
    shown = [[(path / "own").read_text() for path in paths] for paths in found]
    assert shown == [[mount.sub_path for mount in each.mounts] for each in made]
    await volumes.release()
    assert node.mounts() == [] and list(node.run.iterdir()) == []


@pytest.mark.parametrize(
    ("limit_bytes", "mem_bytes", "size_bytes"),
    [
        (None, 2**26, 2**26),
        (2**20, 2**26, 2**20),
        (2**50, 2**26, 2**26),
        (2**62, 2**26, 2**26),
        (0, 2**26, 2**26),
        (2**20, 0, 2**20),
        (None, 0, None),
        (1, 2**26, 4096),
    ],
)
async def test_a_memory_volume_is_never_larger_than_the_pods_memory(
    node: Node, limit_bytes: int | None, mem_bytes: int, size_bytes: int | None
) -> None:
    """A tmpfs of size 0 has no limit. Where nothing limits it the kernel's default does: half of the node's memory."""
    volumes = node.volumes(EmptyDir("mem", limit_bytes, in_memory=True), mem_bytes=mem_bytes)
    await volumes.prepare()
    found = os.statvfs(node.run / "pod/memory/mem")
    total_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size_bytes is None:
        assert 0 < found.f_blocks * found.f_frsize < total_bytes
    else:
        assert found.f_blocks * found.f_frsize == size_bytes
    assert 0 < found.f_files <= max(16384, found.f_blocks)
    await volumes.release()


async def test_released_volumes_are_not_used_again(node: Node) -> None:
    volumes = node.volumes(OPTIONAL, HostPath("data", str(node.data)))
    await volumes.prepare()
    await volumes.release()
    part = container(VolumeMount("data", "/d", sub_path="new"))
    for work in (
        volumes.prepare(),
        volumes.sources(part, {}),
        volumes.write_private("id", "secret"),
        volumes.update(lambda _: settings(key="1")),
    ):
        with pytest.raises(Failure, match="released"):
            await work
    assert node.mounts() == [] and list(node.run.iterdir()) == []
    assert list(node.data.iterdir()) == []


async def test_a_release_fails_while_work_is_busy_and_succeeds_later(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of a hostPath hangs in the middle of the preparation, whose next volume would be mounted after it."""
    monkeypatch.setattr(pod_volumes, "RELEASE_S", 0.2)
    with HungFs(node.top / "hung", SILENT | {LOOKUP}) as hung:
        busy = HostPath("data", str(hung.directory / "file"), "File")
        volumes = node.volumes(EmptyDir("before", in_memory=True), busy, EmptyDir("after", in_memory=True))
        preparing = asyncio.ensure_future(volumes.prepare())
        await asyncio.sleep(0.2)
        assert not preparing.done()
        preparing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await preparing
        for _ in range(2):
            with pytest.raises(Failure, match="has not ended"):
                await volumes.release()
        assert len(node.mounts()) == 1
        hung.release()
        async with asyncio.timeout(5):
            while True:
                try:
                    await volumes.release()
                    break
                except Failure:
                    continue
    assert node.mounts() == [] and list(node.run.iterdir()) == []


async def test_the_group_of_a_claimed_volume_gets_no_device_of_it(node: Node) -> None:
    """A container may make device nodes in its volume. They are the node's, and the group gets none of them."""
    volume = node.data / "volume"
    volume.mkdir()
    os.mkfifo(volume / "fifo", 0o600)
    os.mknod(volume / "socket", 0o600 | stat.S_IFSOCK)
    for name, kind in (("character", stat.S_IFCHR), ("block", stat.S_IFBLK)):
        os.mknod(volume / name, 0o600 | kind, os.makedev(7, 0))
    job = Ownership(volume, 4242)
    while not job.turn():
        pass
    job.close()
    found = {path.name: (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) for path in volume.iterdir()}
    assert found == {"fifo": (4242, 0o660), "socket": (4242, 0o660), "character": (0, 0o600), "block": (0, 0o600)}
