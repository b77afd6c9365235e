"""Files of untrusted images, read from real snapshots of containerd's: nothing leads out, and nothing is left."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import astuple
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.containerd.types import Mount
from executor.errors import ImageFailure
from executor.images.store import ImageStore
from executor.oci import image_files
from executor.oci.image_users import ImageUsers
from executor.oci.users import UserIds
from tests.support import without_syscalls
from tests.support.images import ImageSpec, write_archive
from tests.support.rig import wait_for
from tests.support.sources import ROOT

pytestmark = pytest.mark.root

FAR = "../" * 40
NAME = "docker.io/library/odd:test"


async def mounts_of(client: Containerd, directory: Path, image: ImageSpec) -> list[Mount]:
    await ImageStore(client).import_archive(write_archive(directory / "odd.tar", image))
    found = await ImageStore(client).lookup(image.name)
    return await client.snapshots.prepare(f"odd-{time.monotonic_ns()}", found.chain_id)


def own_mounts() -> str:
    return Path("/proc/self/mounts").read_text()


def threads_with(mounts: str) -> bool:
    """Whether all threads of this process see these, and none is left to see others."""
    if any(thread.name == "rootfs" for thread in threading.enumerate()):
        return False
    try:
        return all(path.read_text() == mounts for path in Path("/proc/self/task").glob("*/mounts"))
    except OSError:  # one has just ended
        return False


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_links_lead_nowhere_out_of_the_image(client: Containerd, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the node")
    links = {
        "etc/up": f"{FAR}{tmp_path}/secret",
        "etc/absolute": f"{tmp_path}/secret",
        "etc/magic": f"{FAR}proc/self/root{tmp_path}/secret",
        "outside": f"{FAR}{tmp_path}",
        "etc/inside": f"{FAR}/real/file",
    }
    mounts = await mounts_of(client, tmp_path, ImageSpec(NAME, files={"real/file": b"of the image"}, links=links))
    paths = ["etc/up", "etc/absolute", "etc/magic", "outside/secret", "/etc/inside", "bin/busybox/x"]
    assert await image_files.read(mounts, paths, image=NAME) == [None, None, None, None, b"of the image", None]


WITHOUT_OPENAT2 = """
import asyncio, json, sys
from executor.containerd.types import Mount
from executor.oci import image_files as rootfs
mounts, paths = json.loads(sys.argv[1])
found = asyncio.run(rootfs.read([Mount(*mount) for mount in mounts], paths, image="x"))
print(json.dumps([text and text.decode() for text in found]))
"""


async def test_links_are_followed_below_the_root_without_openat2_too(client: Containerd, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the node")
    links = {"etc/passwd": "../usr/etc/passwd", "etc/group": "/usr/etc/group", "etc/up": f"{FAR}{tmp_path}/secret"}
    files = {"usr/etc/passwd": b"users", "usr/etc/group": b"groups"}
    mounts = await mounts_of(client, tmp_path, ImageSpec(NAME, files=files, links=links))
    asked = json.dumps([[astuple(mount) for mount in mounts], [*links]])
    line = [*without_syscalls.PREFIX, "openat2", "--", sys.executable, "-c", WITHOUT_OPENAT2, asked]
    ran = await asyncio.to_thread(subprocess.run, line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == ["users", "groups", None]


async def test_a_number_needs_no_file_that_can_be_used(client: Containerd, tmp_path: Path) -> None:
    """A number runs although /etc/passwd cannot be read; a name is refused."""
    mounts = await mounts_of(
        client, tmp_path, ImageSpec(NAME, files={"etc/group": b"a:x:3:root\n"}, links={"etc/passwd": "passwd"})
    )
    image, users = await ImageStore(client).lookup(NAME), ImageUsers()
    assert await users.ids(image, mounts, "", subject="x") == UserIds(0, 0)
    assert await users.ids(image, mounts, "101", subject="x") == UserIds(101, 0)
    with pytest.raises(ImageFailure, match="Too many levels of symbolic links"):
        await users.ids(image, mounts, "app", subject="x")


@pytest.mark.parametrize("layers", [1, 2, 120])
async def test_the_uppermost_layer_is_what_counts(tmp_path: Path, layers: int) -> None:
    """With the long names that containerd's directories have, for more of them than fit into the options at length."""
    names = [tmp_path / ("x" * 20) / f"snapshots/{number}/fs" for number in range(layers)]
    for number, name in enumerate(names):
        (name / "etc").mkdir(parents=True)
        (name / "etc/passwd").write_text(str(number))
    os.mknod(names[0] / "etc/group", 0o600 | 0o020000, os.makedev(0, 0)) if layers > 1 else None
    (names[-1] / "etc/group").write_text("hidden by a whiteout") if layers > 1 else None
    options = (f"lowerdir={':'.join(map(str, names))}", "upperdir=/u", "workdir=/w", "index=off")
    found = await image_files.read([Mount("overlay", "overlay", options)], ["etc/passwd", "etc/group"], image=NAME)
    assert found == [b"0", None]


@pytest.mark.parametrize("kind", ["fifo", "device", "directory", "loop", "large"])
async def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "etc/passwd"
    path.parent.mkdir()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
        case "directory":
            path.mkdir()
        case "loop":
            path.symlink_to("passwd")
        case "large":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    count = descriptors()
    begin = time.monotonic()
    with pytest.raises(ImageFailure, match=r"its files cannot be read: .*\(etc/passwd\)") as caught:
        await image_files.read([Mount("bind", str(tmp_path), ("rbind",))], ["etc/passwd"], image=NAME)
    assert caught.value.hint.startswith("repair the image")
    assert time.monotonic() - begin < 10 and descriptors() == count


async def test_a_user_is_looked_up_once(client: Containerd, tmp_path: Path) -> None:
    files = {"etc/passwd": b"app:x:1:2:\xff::\n", "etc/group": b"a:x:3:app\n"}
    mounts = await mounts_of(client, tmp_path, ImageSpec(NAME, files=files))
    image, users = await ImageStore(client).lookup(NAME), ImageUsers()
    first = await users.ids(image, mounts, "app", subject="x")
    assert first == UserIds(1, 2, (3,))
    assert await users.ids(image, [], "app", subject="x") is first
    assert await users.ids(image, [], "5:6", subject="x") == UserIds(5, 6), "which needs no file"
    begin = time.perf_counter()
    for _ in range(20):
        await ImageUsers().ids(image, mounts, "app", subject="x")
    print(f"\na user is looked up in {(time.perf_counter() - begin) / 20 * 1e3:.2f} ms")


async def test_nobody_sees_a_mount_and_none_is_left_whenever_it_is_given_up(client: Containerd, tmp_path: Path) -> None:
    """Cancelled at many moments of its work; threads that are given up end by themselves."""
    mounts = await mounts_of(client, tmp_path, ImageSpec(NAME, files={"etc/passwd": b"x" * 100_000}))
    before = own_mounts()
    cancelled = 0
    for step in range(60):
        task = asyncio.create_task(image_files.read(mounts, ["etc/passwd"], image=NAME))
        await asyncio.sleep(step * 0.0001)
        assert own_mounts() == before
        task.cancel()
        cancelled += isinstance((await asyncio.gather(task, return_exceptions=True))[0], asyncio.CancelledError)
    assert cancelled
    assert wait_for(lambda: True if threads_with(before) else None, 10)
