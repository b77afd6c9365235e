"""subPath and allowed hostPaths: what is mounted is what was found, and nothing leads out of the volume."""

from __future__ import annotations

import asyncio
import os

import pytest

from executor.errors import Failure
from executor.spec.objects import Objects
from executor.spec.volume_model import EmptyDir, HostPath, VolumeMount
from tests.integration.volumes.pods import FIXED, OPTIONAL, Node, container, mount_tmpfs, seen_by, service, settings

pytestmark = pytest.mark.root


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


@pytest.mark.parametrize("level", ["pod", "volumes", "v"])
async def test_a_part_of_an_empty_dir_is_in_the_directory_that_was_made(node: Node, level: str) -> None:
    """A user who may write in the Mesos sandbox puts a link in its place, or another directory."""
    volumes = node.volumes(EmptyDir("v"))
    made, outside = node.make_empty_dir("v"), node.top / "outside"
    (outside / "volumes/v").mkdir(parents=True)
    await volumes.prepare()
    app = container(VolumeMount("v", "/v", sub_path="part"))
    (found,) = await volumes.sources(app, {})
    (found / "file").touch()
    assert (made / "part/file").exists()
    place = {"pod": made.parent.parent, "volumes": made.parent, "v": made}[level]
    place.rename(node.top / "before")
    place.symlink_to(outside)
    with pytest.raises(Failure):
        await volumes.sources(app, {})
    assert sorted(path.name for path in outside.rglob("*")) == ["v", "volumes"]
    await volumes.release()
