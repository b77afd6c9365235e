"""A small disk of images: a pull neither fills it nor keeps on it what it cannot use."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.images.room import NoRoom
from tests.integration.images.pulls import Node, layer, until
from tests.integration.images.test_command import Shell
from tests.support.containerd import PrivateContainerd
from tests.support.images import ImageSpec, write_archive
from tests.support.registry import Registry
from tests.support.registry_front import Front

pytestmark = pytest.mark.root
DISK_MIB = 64
BOMB_BYTES = 200 << 20


@pytest.fixture(scope="module")
def node() -> Iterator[PrivateContainerd]:
    """With a file system of its own for everything that it stores."""
    with PrivateContainerd() as containerd:
        root = containerd.directory / "root"
        containerd.stop()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", root], check=True)
        containerd.start()
        yield containerd
        containerd.stop()
        subprocess.run(["umount", "--lazy", root], check=True)


@pytest.fixture
def disk(here: Node, node: PrivateContainerd) -> Path:
    found = node.directory / "root"
    here.settings = replace(here.settings, content_dir=str(found), reserve_percent=25.0)
    return found


@pytest.fixture(scope="module")
def bomb(plain: Registry) -> str:
    plain.push("small/bomb", "1", ImageSpec("unused", files={"zeros": bytes(BOMB_BYTES)}))
    return f"{plain.host}/small/bomb:1"


def free_bytes(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def test_layers_that_do_not_fit_are_not_fetched(
    here: Node, disk: Path, app: ImageSpec, front: Front, plain: Registry
) -> None:
    name, changes = f"{front.host}/team/app:1", {"plain_http": (front.host,)}
    filler = disk / "filler"
    filler.write_bytes(bytes(free_bytes(disk) - (DISK_MIB // 2 + 2 << 20)))
    with pytest.raises(NoRoom, match=r"its layers need \d+ bytes.*reserve_percent") as caught:
        await here.pull(name, reserve_percent=50.0, **changes)
    assert not [path for _, path, _ in front.seen if layer(app) in path]
    assert not caught.value.is_lasting and caught.value.retry_after_s > 0
    assert await here.client.leases.list() == ()

    filler.unlink()
    assert (await here.pull(name, **changes)).phase == "done"


@pytest.mark.parametrize("reserve_percent", [25.0, 0.0], ids=["reserve", "full"])
async def test_a_layer_that_unpacks_to_more_than_the_disk_is_given_up(
    here: Node, disk: Path, bomb: str, reserve_percent: float
) -> None:
    before = free_bytes(disk)
    with pytest.raises(NoRoom, match="fill") as caught:
        await here.pull(bomb, reserve_percent=reserve_percent)
    assert "gc_high_percent" in str(caught.value)
    assert await here.client.leases.list() == ()
    assert before - free_bytes(disk) < 1 << 20


@pytest.mark.parametrize("reserve_percent", [25.0, 0.0], ids=["reserve", "full"])
async def test_an_archive_that_does_not_fit_is_not_imported(
    here: Node, disk: Path, tmp_path: Path, reserve_percent: float
) -> None:
    archive = tmp_path / "bomb.tar"
    write_archive(archive, ImageSpec("small/bomb:1", files={"zeros": bytes(BOMB_BYTES)}))
    before = free_bytes(disk)
    shell = Shell(here, tmp_path, content_dir=str(disk), reserve_percent=reserve_percent)
    ran = shell.run("import", str(archive), code=1)
    assert str(archive) in ran.stderr and "fill" in ran.stderr and "reserve_percent" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1 and await here.client.leases.list() == ()
    await until(lambda: before - free_bytes(disk) < 1 << 20)
    assert "bomb" not in shell.run("ls").stdout


async def test_a_node_whose_directory_is_not_there_pulls_all_the_same(
    here: Node, app: ImageSpec, plain: Registry
) -> None:
    done = await here.pull(f"{plain.host}/team/app:1", content_dir="/nowhere", reserve_percent=90.0)
    assert done.phase == "done"
