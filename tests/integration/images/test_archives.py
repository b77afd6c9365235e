"""Images from archives: every form, their documents, their unpacking, and archives that are no good."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import secrets
import tarfile
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.containerd.types import SnapshotKind
from executor.errors import ImageFailure, NotFound
from executor.images.model import ImageConfig
from executor.images.store import ImageStore
from tests.integration.containerd.launching import Launcher
from tests.support.containerd import PrivateContainerd
from tests.support.images import Form, ImageSpec, digest_of, write_archive

pytestmark = pytest.mark.root

FULL = ImageSpec(
    name="docker.io/mine/full:1",
    entrypoint=("/bin/sh", "-c"),
    cmd=("echo hi",),
    env=("PATH=/bin", "EMPTY=", "EQUALS=a=b"),
    user="1000:1000",
    working_dir="/tmp",
    stop_signal="SIGINT",
    volumes=("/data", "/cache"),
    files={"etc/marker": b"two layers\n"},
)
CONFIG = ImageConfig(
    env=(("PATH", "/bin"), ("EMPTY", ""), ("EQUALS", "a=b")),
    entrypoint=("/bin/sh", "-c"),
    cmd=("echo hi",),
    working_dir="/tmp",
    user="1000:1000",
    stop_signal="SIGINT",
    volumes=("/cache", "/data"),
)


@pytest.mark.parametrize("form", ["oci", "oci-index", "docker"])
async def test_import_and_lookup(client: Containerd, tmp_path: Path, form: Form) -> None:
    archive = write_archive(tmp_path / "full.tar", FULL, form=form)

    assert await ImageStore(client).import_archive(archive) == [FULL.name]
    image = await ImageStore(client).lookup("mine/full:1")

    assert (image.name, image.config) == (FULL.name, CONFIG)
    assert await client.snapshots.exists(image.chain_id)
    mounts = await client.snapshots.prepare("look", image.chain_id)
    (lower,) = [option for option in mounts[0].options if option.startswith("lowerdir=")]
    top, base = lower.removeprefix("lowerdir=").split(":")
    assert await asyncio.to_thread(Path(top, "etc/marker").read_text) == "two layers\n"
    assert os.access(f"{base}/bin/busybox", os.X_OK)


async def test_an_imported_image_outlives_garbage_collection(client: Containerd, tmp_path: Path) -> None:
    await ImageStore(client).import_archive(write_archive(tmp_path / "full.tar", FULL))
    lease = await client.leases.create("collect", expire_s=60)

    await client.leases.delete(lease, sync=True)

    image = await ImageStore(client).lookup(FULL.name)
    assert await client.content.read(image.digest)
    kinds = [snapshot.kind for snapshot in await client.snapshots.list()]
    assert kinds == [SnapshotKind.COMMITTED] * 2
    assert await client.leases.list() == ()


async def test_a_deleted_image_leaves_nothing(client: Containerd, tmp_path: Path) -> None:
    await ImageStore(client).import_archive(write_archive(tmp_path / "full.tar", FULL))
    image = await ImageStore(client).lookup(FULL.name)
    assert [record.name for record in await client.images.list()] == [FULL.name]

    await client.images.delete(FULL.name)
    await client.leases.delete(await client.leases.create("collect", expire_s=60), sync=True)

    assert await client.images.list() == ()
    assert await client.snapshots.list() == ()
    with pytest.raises(NotFound):
        await client.content.read(image.digest)
    with pytest.raises(NotFound):
        await ImageStore(client).lookup(FULL.name)


async def test_an_unknown_image_says_what_to_do(client: Containerd) -> None:
    with pytest.raises(NotFound) as caught:
        await ImageStore(client).lookup("no/such:image")

    assert str(caught.value) == (
        f"no/such:image: no such image in containerd's namespace {client.namespace} "
        "(bring it here: mesos-pod-executor images pull, or images import)"
    )


async def test_a_stored_image_is_found_by_its_digest(client: Containerd, tmp_path: Path) -> None:
    store = ImageStore(client)
    await store.import_archive(write_archive(tmp_path / "full.tar", FULL))
    digest = (await store.lookup(FULL.name)).digest

    for name in (f"mine/full@{digest}", f"mine/full:1@{digest}", f"mine/full:other@{digest}", f"else/where@{digest}"):
        assert (await store.lookup(name)).name == FULL.name
    wrong = f"sha256:{'0' * 64}"
    for name in (f"mine/full@{wrong}", f"mine/full:1@{wrong}"):
        with pytest.raises(NotFound):
            await store.lookup(name)


async def test_what_is_remembered_of_images_is_bounded(client: Containerd, tmp_path: Path) -> None:
    images = [ImageSpec(f"docker.io/mine/many:{number}", cmd=(str(number),)) for number in range(6)]
    store = ImageStore(client, known_max=4)
    await store.import_archive(write_archive(tmp_path / "many.tar", *images))

    for image in images:
        await store.lookup(image.name)

    assert len(store.known) == 4
    assert images[-1].cmd == (await store.lookup(images[-1].name)).config.cmd
    assert images[0].cmd == (await store.lookup(images[0].name)).config.cmd
    assert len(store.known) == 4


async def test_an_image_that_is_not_unpacked_is_unpacked_once_for_many(client: Containerd, tmp_path: Path) -> None:
    await ImageStore(client).import_archive(write_archive(tmp_path / "full.tar", FULL))
    for _ in range(2):  # the second layer's snapshot is the first one's child
        for snapshot in await client.snapshots.list():
            if all(other.parent != snapshot.key for other in await client.snapshots.list()):
                await client.snapshots.remove(snapshot.key)
    assert await client.snapshots.list() == ()

    images = await asyncio.gather(*(ImageStore(client).lookup(FULL.name) for _ in range(8)))

    assert len({image.chain_id for image in images}) == 1
    assert [snapshot.kind for snapshot in await client.snapshots.list()] == [SnapshotKind.COMMITTED] * 2
    await client.leases.delete(await client.leases.create("collect", expire_s=60), sync=True)
    assert await client.snapshots.exists(images[0].chain_id)


async def test_two_processes_may_import_the_same_archive_at_once(
    node: PrivateContainerd, client: Containerd, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "full.tar", FULL)
    others = [await Containerd.connect(node.address, client.namespace) for _ in range(4)]

    names = await asyncio.gather(*(ImageStore(other).import_archive(archive) for other in others))

    assert names == [[FULL.name]] * 4
    assert (await ImageStore(client).lookup(FULL.name)).config == CONFIG
    assert [snapshot.kind for snapshot in await client.snapshots.list()] == [SnapshotKind.COMMITTED] * 2
    for other in others:
        await other.close()


async def test_a_second_import_moves_the_name(client: Containerd, tmp_path: Path) -> None:
    await ImageStore(client).import_archive(write_archive(tmp_path / "one.tar", ImageSpec(cmd=("/one",))))
    await ImageStore(client).import_archive(write_archive(tmp_path / "two.tar", ImageSpec(cmd=("/two",))))

    assert (await ImageStore(client).lookup("busybox:test")).config.cmd == ("/two",)


async def test_an_archive_of_several_images_and_a_compressed_one(client: Containerd, tmp_path: Path) -> None:
    second = ImageSpec(name="docker.io/mine/second:2", files={"x": b"y"})
    plain = write_archive(tmp_path / "both.tar", FULL, second, form="docker")
    packed = tmp_path / "both.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=1))

    assert await ImageStore(client).import_archive(packed) == [FULL.name, second.name]


async def test_an_archive_without_a_name_takes_the_caller_s(client: Containerd, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "nameless.tar", ImageSpec(name=""))

    with pytest.raises(ImageFailure, match=r"nameless\.tar.*no name"):
        await ImageStore(client).import_archive(archive)
    assert await ImageStore(client).import_archive(archive, name="given") == ["docker.io/library/given:latest"]


async def test_an_image_for_another_machine_is_refused(client: Containerd, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "arm.tar", ImageSpec(architecture="s390x"), form="oci-index")

    with pytest.raises(ImageFailure, match=r"arm\.tar.*no variant for linux/amd64, only linux/mips, linux/s390x"):
        await ImageStore(client).import_archive(archive)
    assert await client.images.list() == ()


def _members(path: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            found[member.name] = stream.read()
    return found


def _write(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


async def test_a_file_that_is_no_archive_is_named(client: Containerd, tmp_path: Path) -> None:
    text = tmp_path / "text.tar"
    text.write_text("not a tar")

    for path, words in (
        (text, "cannot read the image archive"),
        (tmp_path / "absent.tar", "No such file"),
        (tmp_path, "Is a directory"),
        (_write(tmp_path / "other.tar", {"README": b"hello"}), "neither index.json nor manifest.json"),
        (_write(tmp_path / "none.tar", {"index.json": b'{"manifests": []}'}), "holds no image"),
        (_write(tmp_path / "bad.tar", {"index.json": b"{"}), "not a JSON document"),
        (_write(tmp_path / "list.tar", {"manifest.json": b"{}"}), "not a list"),
        (
            _write(tmp_path / "path.tar", {"index.json": b'{"manifests": [{"digest": "sha256:../../x", "size": 1}]}'}),
            "no valid digest",
        ),
    ):
        with pytest.raises(ImageFailure, match=words) as caught:
            await ImageStore(client).import_archive(path)
        assert str(path) in str(caught.value)


async def test_damaged_archives_are_refused_and_leave_nothing(client: Containerd, tmp_path: Path) -> None:
    # Of its own, for what containerd holds already, in whatever namespace, is not read from the archive at all.
    unique = ImageSpec(files={"random": secrets.token_bytes(500_000)}, cmd=(secrets.token_hex(8),))
    whole = _members(write_archive(tmp_path / "whole.tar", unique))
    manifest = json.loads(whole[_blob(json.loads(whole["index.json"])["manifests"][0]["digest"])])
    layer, config = _blob(manifest["layers"][1]["digest"]), _blob(manifest["config"]["digest"])
    flipped = bytes([*whole[layer][:-1], whole[layer][-1] ^ 1])
    truncated = (tmp_path / "whole.tar").read_bytes()[:-200_000]
    (tmp_path / "truncated.tar").write_bytes(truncated)

    for name, members, words in (
        ("no-layer.tar", {k: v for k, v in whole.items() if k != layer}, "is missing in the archive"),
        ("no-config.tar", {k: v for k, v in whole.items() if k != config}, "is missing in the archive"),
        ("flipped-layer.tar", {**whole, layer: flipped}, "digest"),
        ("short-layer.tar", {**whole, layer: whole[layer][:-10]}, "size|digest"),
        ("other-config.tar", {**whole, config: whole[config] + b" "}, "size|digest"),
    ):
        with pytest.raises(ImageFailure, match=words) as caught:
            await ImageStore(client).import_archive(_write(tmp_path / name, members))
        assert name in str(caught.value)
    with pytest.raises(ImageFailure, match=r"truncated\.tar"):
        await ImageStore(client).import_archive(tmp_path / "truncated.tar")

    assert await client.images.list() == ()
    assert await client.leases.list() == ()
    await client.leases.delete(await client.leases.create("collect", expire_s=60), sync=True)
    assert await client.snapshots.list() == ()


async def test_a_layer_that_is_not_what_the_configuration_says_is_refused(client: Containerd, tmp_path: Path) -> None:
    whole = _members(write_archive(tmp_path / "whole.tar", ImageSpec(), form="docker"))
    (entry,) = json.loads(whole["manifest.json"])
    config = json.loads(whole[entry["Config"]])
    config["rootfs"]["diff_ids"] = [digest_of(b"something else")]
    whole[entry["Config"]] = json.dumps(config).encode()

    with pytest.raises(ImageFailure, match=r"lying\.tar.*unpacks to"):
        await ImageStore(client).import_archive(_write(tmp_path / "lying.tar", whole))
    assert await client.snapshots.list() == ()


async def test_the_same_blob_in_another_namespace_is_not_sent_again(
    node: PrivateContainerd, client: Containerd, tmp_path: Path, launcher: Launcher
) -> None:
    archive = write_archive(tmp_path / "full.tar", FULL)
    await ImageStore(client).import_archive(archive)
    async with await Containerd.connect(node.address, f"{client.namespace}-two") as other:
        await ImageStore(other).import_archive(archive)
        assert (await ImageStore(other).lookup(FULL.name)).config == CONFIG


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
