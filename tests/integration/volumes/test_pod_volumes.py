"""The volumes of one pod on a real node: what containers would find, and what is left after the release."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.disk.turns import Turns
from executor.errors import Failure
from executor.mesos.resources import Resources
from executor.names import PodClass, Role, TaskId
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.objects import DataKind, KeyedData, Objects
from executor.spec.volume_model import DataFiles, EmptyDir, FilesVolume, HostPath, Volume, VolumeMount
from executor.volumes import pod_volumes
from executor.volumes.ownership import Ownership
from executor.volumes.pod_volumes import PodVolumes
from tests.support.hung_fs import LOOKUP, SILENT, HungFs

pytestmark = pytest.mark.root

OPTIONAL = FilesVolume("conf", (DataFiles(DataKind.CONFIG_MAP, "settings", optional=True),))
FIXED = FilesVolume("conf", (DataFiles(DataKind.CONFIG_MAP, "settings"),))


def settings(**values: str) -> Objects:
    data = {key: value.encode() for key, value in values.items()}
    return Objects(config_maps={"settings": KeyedData(DataKind.CONFIG_MAP, "settings", data)})


class Node:
    """`run` is where the executor mounts; every mount of it is shared, as systemd makes them."""

    def __init__(self, top: Path) -> None:
        self.top, self.run, self.data = top, top / "run", top / "data"
        self.data.mkdir()

    def volumes(self, *volumes: Volume, objects: Objects | None = None, mem_bytes: int = 2**26) -> PodVolumes:
        spec = PodSpec(
            task_ids=(TaskId("t"),),
            name="pod",
            namespace="default",
            uid="u",
            pod_class=PodClass.REGULAR,
            role=Role("*"),
            containers=(container(),),
            resources=Resources(cpus=1, mem_bytes=mem_bytes),
            volumes=volumes,
            objects=objects or Objects(),
        )
        return PodVolumes(
            spec, pod_dir=self.top / "pod", mounts_dir=self.run / "pod", mesos_sandbox=self.top, turns=Turns("test")
        )

    def mounts(self) -> list[str]:
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return [point for point in points if point.startswith(f"{self.run}/")]


def container(*mounts: VolumeMount) -> ContainerSpec:
    return ContainerSpec(name="app", image="busybox", task_id=TaskId("t"), mounts=mounts)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    top = tmp_path / "node"
    top.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "node", top], check=True)
    subprocess.run(["mount", "--make-shared", top], check=True)
    yield Node(top)
    subprocess.run(["umount", "-R", "-l", top], check=False)


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


@contextlib.contextmanager
def service() -> Iterator[int]:
    """The pid of a service of the node with a mount namespace of its own, as systemd makes them."""
    line = ["unshare", "--mount", "--propagation", "slave", "sleep", "100"]
    with subprocess.Popen(line) as process:
        try:
            while b"sleep" not in Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")[:1]:
                time.sleep(0.01)
            yield process.pid
        finally:
            process.kill()


def seen_by(pid: int, path: Path | str) -> Path:
    return Path(f"/proc/{pid}/root{path}")


def mount_tmpfs(path: Path, text: str) -> None:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "test", path], check=True)
    (path / "file").write_text(text)


async def test_a_containerd_with_mounts_of_its_own_sees_parts_and_keeps_none(node: Node) -> None:
    """Else runc would mount the empty directory on which the part stands."""
    below, later = node.data / "part/below", node.data / "part/later"
    mount_tmpfs(below, "right")
    with service() as pid:
        volumes = node.volumes(HostPath("data", str(node.data)))
        await volumes.prepare()
        (found,) = await volumes.sources(container(VolumeMount("data", "/d", sub_path="part")), {})
        assert seen_by(pid, found / "below/file").read_text() == "right"
        mount_tmpfs(later, "late")
        assert seen_by(pid, found / "later/file").read_text() == "late"
        await volumes.sources(container(VolumeMount("data", "/d", sub_path="part")), {})
        assert seen_by(pid, found / "later/file").read_text() == "late"
        await volumes.release()
        mounts = seen_by(pid, "").with_name("mountinfo").read_text()
    assert f" {node.run}" not in mounts
    assert f" {below} " in mounts and f" {later} " in mounts
    assert ((below / "file").read_text(), (later / "file").read_text()) == ("right", "late")


async def test_an_optional_part_that_is_missing_is_an_empty_directory_outside_of_the_volume(node: Node) -> None:
    volumes = node.volumes(OPTIONAL)
    await volumes.prepare()
    app = container(VolumeMount("conf", "/c", sub_path="key"))
    (found,) = await volumes.sources(app, {})
    assert list(found.iterdir()) == [] and found.stat().st_mode & 0o777 == 0o755
    assert not (node.run / "pod/files/conf/key").exists()
    assert await volumes.update(lambda _: settings(key="2")) == ("conf",)
    (found,) = await volumes.sources(app, {})
    assert found.read_text() == "2"
    assert await volumes.update(lambda _: Objects()) == ("conf",)
    (found,) = await volumes.sources(app, {})
    assert found.is_dir() and list(found.iterdir()) == []
    await volumes.release()
    assert node.mounts() == [] and list(node.run.iterdir()) == []


async def test_a_part_that_must_be_there_is_not_made(node: Node) -> None:
    volumes = node.volumes(FIXED, objects=settings(key="1"))
    await volumes.prepare()
    with pytest.raises(Failure, match="No such file") as caught:
        await volumes.sources(container(VolumeMount("conf", "/c", sub_path="none")), {})
    assert "subPath none" in caught.value.subject
    await volumes.release()


@pytest.mark.parametrize("part", ["link", "link/x", "up", "up/x"])
async def test_no_link_in_a_host_path_leads_out_of_it(node: Node, part: str) -> None:
    outside = node.top / "outside"
    outside.mkdir()
    (outside / "x").write_text("kept")
    (node.data / "link").symlink_to(outside)
    (node.data / "up").symlink_to("../outside")
    volumes = node.volumes(HostPath("data", str(node.data)))
    try:
        (found,) = await volumes.sources(container(VolumeMount("data", "/d", sub_path=part)), {})
    except Failure:
        found = None
    assert found is None or not found.is_file()
    assert sorted(path.name for path in outside.iterdir()) == ["x"]
    await volumes.release()


async def test_an_allowed_host_path_is_mounted_by_descriptor(node: Node) -> None:
    """What runc is given cannot be exchanged by a pod that writes in the allowed directory."""
    (node.data / "own/sub").mkdir(parents=True)
    (node.data / "own/sub/file").write_text("right")
    outside = node.top / "outside"
    (outside / "sub").mkdir(parents=True)
    volumes = node.volumes(HostPath("data", str(node.data / "own"), "Directory", beneath=str(node.data)))
    await volumes.prepare()
    app = container(VolumeMount("data", "/d"), VolumeMount("data", "/s", sub_path="sub"))
    found = await volumes.sources(app, {})
    (node.data / "own").rename(node.data / "before")
    (node.data / "own").symlink_to(outside)
    assert (found[0] / "sub/file").read_text() == (found[1] / "file").read_text() == "right"
    with pytest.raises(Failure, match="symbolic link"):
        await volumes.sources(app, {})
    await volumes.release()
    assert node.mounts() == [] and (node.data / "before/sub/file").read_text() == "right"


async def test_a_part_that_may_only_be_read_is_not_made_on_the_node(node: Node) -> None:
    volumes = node.volumes(HostPath("data", str(node.data), beneath=str(node.data)))
    with pytest.raises(Failure, match="No such file"):
        await volumes.sources(container(VolumeMount("data", "/d", read_only=True, sub_path="new/dir")), {})
    assert list(node.data.iterdir()) == []
    await volumes.release()


async def test_a_message_has_no_variable_of_a_part(node: Node) -> None:
    """It may be a secret."""
    (node.data / "file").touch()
    volumes = node.volumes(HostPath("data", str(node.data)), FIXED, objects=settings(key="1"))
    await volumes.prepare()
    for name, expression in (("data", "file/$(PASSWORD)"), ("conf", "$(PASSWORD)"), ("conf", "key/$(PASSWORD)")):
        mount = VolumeMount(name, "/d", sub_path=expression, expands=True)
        with pytest.raises(Failure) as caught:
            await volumes.sources(container(mount), {"PASSWORD": "hunter2"})
        assert "hunter2" not in str(caught.value) and expression in str(caught.value)
    await volumes.release()


@pytest.mark.parametrize("kind", ["fifo", "device", "socket"])
async def test_a_part_of_any_kind_is_mounted_without_being_opened(node: Node, kind: str) -> None:
    """To open a FIFO waits for its other end, and to open a device may do much."""
    path = node.data / "odd"
    if kind == "fifo":
        os.mkfifo(path)
    else:
        os.mknod(path, 0o600 | (0o020000 if kind == "device" else 0o140000), os.makedev(1, 7))
    volumes = node.volumes(HostPath("data", str(node.data)))
    async with asyncio.timeout(5):
        (found,) = await volumes.sources(container(VolumeMount("data", "/d", sub_path="odd")), {})
        assert found.lstat().st_ino == path.lstat().st_ino
        await volumes.release()
    assert path.exists()


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
