"""An image that could not be read for a reason that passes is used once the reason has gone."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.containerd import Containerd
from executor.containerd.types import Descriptor
from executor.images.failures import DamagedImage, IncompleteImage
from executor.images.store import ImageStore
from tests.integration.images.test_archives import CONFIG, FULL
from tests.support.containerd import PrivateContainerd
from tests.support.images import digest_of, write_archive

pytestmark = pytest.mark.root

INDEX = "application/vnd.oci.image.index.v1+json"


async def test_a_damaged_image_is_usable_once_it_was_replaced(
    client: Containerd, node: PrivateContainerd, tmp_path: Path
) -> None:
    """As after a power failure: containerd has the blob, and gives what the disk has."""
    archive, store = write_archive(tmp_path / "full.tar", FULL), ImageStore(client)
    await store.import_archive(archive)
    (record,) = await client.images.list()
    (blob,) = node.directory.glob(f"**/blobs/{record.target.digest.replace(':', '/')}")
    whole = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(b"\0" * len(whole))
    store = ImageStore(client)
    for _ in range(2):
        with pytest.raises(DamagedImage, match=f"{record.target.digest} on this node is damaged"):
            await store.lookup(FULL.name)
    blob.write_bytes(whole)
    assert (await store.lookup(FULL.name)).config == CONFIG


async def test_a_variant_that_comes_later_is_used(client: Containerd, tmp_path: Path) -> None:
    """An index names one for other nodes first, and what this node runs is not there yet."""
    store = ImageStore(client)
    await store.import_archive(write_archive(tmp_path / "full.tar", FULL))
    (record,) = await client.images.list()
    here = {"os": "linux", "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]}
    foreign = _index(_entry(record.target, {"os": "linux", "architecture": "mips"}))
    own = _index(_entry(record.target, here))
    targets = [_target(each) for each in (foreign, own)]
    outer = _index(*(_entry(each, {}) for each in targets))
    lease = await client.leases.create("documents", expire_s=60)
    for data in (foreign, outer):
        await client.content.ensure(_target(data), _once(data), {}, lease=lease)
    await client.images.put("docker.io/mine/outer:1", _target(outer), lease=lease)
    for _ in range(2):
        with pytest.raises(IncompleteImage, match=f"{targets[1].digest} is not on this node"):
            await store.lookup("mine/outer:1")
    await client.content.ensure(_target(own), _once(own), {}, lease=lease)
    assert (await store.lookup("mine/outer:1")).config == CONFIG


def _entry(target: Descriptor, platform: dict[str, str]) -> dict[str, object]:
    found = {"mediaType": target.media_type, "digest": target.digest, "size": target.size_bytes}
    return {**found, "platform": platform} if platform else found


def _index(*entries: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)}).encode()


def _target(data: bytes) -> Descriptor:
    return Descriptor(INDEX, digest_of(data), len(data))


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
