"""containerd's Images service, and what makes a name into something to run: its documents and its unpacked snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from executor.containerd import layouts, reference
from executor.containerd import manifest as documents
from executor.containerd.api import descriptor_pb2
from executor.containerd.api import images_pb2 as pb
from executor.containerd.archive import Archive
from executor.containerd.channel import Channel
from executor.containerd.content import Content
from executor.containerd.errors import AlreadyExists
from executor.containerd.leases import Leases
from executor.containerd.snapshots import Snapshots
from executor.containerd.types import Descriptor, Image, ImageConfig, ImageRecord, LeaseId
from executor.containerd.unpack import Unpacker
from executor.errors import ContainerdFailure, ContainerdUnavailable, ImageFailure, NotFound

_SERVICE = "images.v1.Images"
_CHUNK_BYTES = 1 << 20
_SMALL_BYTES = 64 << 10
_LEASE_S: Final = 3600.0  # longer than any import takes; only a process that died leaves a lease behind


@dataclass(frozen=True)
class _Content:
    """What the documents behind a digest say: immutable, so it is read once."""

    config_digest: str
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    chain_id: str


class Images:
    def __init__(self, channel: Channel, content: Content, snapshots: Snapshots, leases: Leases) -> None:
        self._channel = channel
        self._content = content
        self._snapshots = snapshots
        self._leases = leases
        self._unpacker = Unpacker(channel, snapshots, leases)
        self._known: dict[str, _Content] = {}

    async def lookup(self, name: str) -> Image:
        """An image of this node, by its stored or its familiar name, unpacked if it was not.

        NotFound if there is none of that name, ImageFailure if its content cannot be used.
        """
        record = await self._get(name)
        digest = record.target.digest
        if digest not in self._known:
            self._known[digest] = await self._read(record)
        known = self._known[digest]
        if known.chain_id and not await self._snapshots.exists(known.chain_id):
            async with self._leases.hold("unpack", expire_s=_LEASE_S) as lease:
                await self._unpack(record.name, known, lease)
        return Image(record.name, digest, known.chain_id, known.config)

    async def import_archive(self, path: Path | str, *, name: str = "") -> list[str]:
        """Store and unpack every image of an OCI or docker archive; the names they have now.

        `name` is for the image of an archive that names none. ImageFailure names the file.
        """
        with await asyncio.to_thread(Archive, Path(path)) as archive:
            found = await asyncio.to_thread(layouts.images, archive)
            async with self._leases.hold("import", expire_s=_LEASE_S) as lease:
                return [await self._import(archive, image, image.name or name, lease) for image in found]

    async def list(self) -> tuple[ImageRecord, ...]:
        request = pb.ListImagesRequest()
        reply = await self._channel.call(f"{_SERVICE}/List", request, pb.ListImagesResponse, subject="images")
        return tuple(_record(image) for image in reply.images)

    async def delete(self, name: str) -> None:
        """Forget a stored name; its content goes with the next garbage collection. Idempotent."""
        try:
            await self._channel.call(f"{_SERVICE}/Delete", pb.DeleteImageRequest(name=name), Empty, subject=name)
        except NotFound:
            return

    async def _get(self, name: str) -> ImageRecord:
        for candidate in reference.candidates(name):
            try:
                request = pb.GetImageRequest(name=candidate)
                reply = await self._channel.call(f"{_SERVICE}/Get", request, pb.GetImageResponse, subject=name)
            except NotFound:
                continue
            return _record(reply.image)
        namespace = self._channel.namespace
        hint = f"import it with: ctr -a {self._channel.socket} -n {namespace} images import FILE"
        raise NotFound(f"no such image in containerd's namespace {namespace}", subject=name, hint=hint)

    async def _read(self, record: ImageRecord) -> _Content:
        manifest = await self._manifest(record.name, record.target)
        value = await _document(await self._blob(record.name, manifest.config.digest), record.name)
        diff_ids = documents.diff_ids(value, subject=record.name)
        if len(diff_ids) != len(manifest.layers):
            raise ImageFailure("its manifest and its configuration have not the same layers", subject=record.name)
        chain = documents.chain_ids(diff_ids)
        return _Content(
            manifest.config.digest,
            documents.image_config(value),
            manifest.layers,
            diff_ids,
            chain[-1] if chain else "",
        )

    async def _manifest(self, name: str, target: Descriptor) -> documents.Manifest:
        data = await self._blob(name, target.digest)
        value = await _document(data, name)
        if documents.is_index(target.media_type, value):
            chosen = documents.choose(value, documents.node_architecture(), subject=name)
            value = await _document(await self._blob(name, chosen.digest), name)
        return documents.manifest_of(value, subject=name)

    async def _blob(self, name: str, digest: str) -> bytes:
        try:
            return await self._content.read(digest)
        except NotFound as error:
            raise ImageFailure(
                f"its content {digest} is not on this node", subject=name, hint="pull it again"
            ) from error

    async def _unpack(self, name: str, known: _Content, lease: LeaseId) -> None:
        # The label comes first: from the moment that the last snapshot exists, the image keeps it.
        await self._content.set_labels(known.config_digest, layouts.config_labels(known.diff_ids))
        await self._unpacker.ensure(name, known.layers, known.diff_ids, lease)

    async def _import(self, archive: Archive, image: layouts.ArchivedImage, name: str, lease: LeaseId) -> str:
        if not name:
            raise ImageFailure("the archive gives its image no name", subject=str(archive.path), hint="give one")
        record = ImageRecord(reference.normalise(name), image.target, {})
        try:
            for blob in image.blobs:
                await self._content.ensure(blob.target, _chunks(archive, blob), blob.labels, lease=lease)
            await self._unpack(record.name, await self._read(record), lease)
            await self._put(record, lease)
        except ContainerdUnavailable:
            raise
        except (ContainerdFailure, ImageFailure) as error:
            raise ImageFailure(f"cannot import {record.name}: {error}", subject=str(archive.path)) from error
        return record.name

    async def _put(self, record: ImageRecord, lease: LeaseId) -> None:
        target = descriptor_pb2.Descriptor(
            media_type=record.target.media_type, digest=record.target.digest, size=record.target.size_bytes
        )
        image = pb.Image(name=record.name, target=target)
        try:
            create = pb.CreateImageRequest(image=image)
            await self._channel.call(
                f"{_SERVICE}/Create", create, pb.CreateImageResponse, subject=record.name, lease=lease
            )
        except AlreadyExists:
            update = pb.UpdateImageRequest(image=image, update_mask=FieldMask(paths=["target"]))
            await self._channel.call(
                f"{_SERVICE}/Update", update, pb.UpdateImageResponse, subject=record.name, lease=lease
            )


async def _document(data: bytes, name: str) -> Mapping[str, object]:
    """A large one is not read on the event loop."""
    if len(data) <= _SMALL_BYTES:
        return documents.document(data, subject=name)
    return await asyncio.to_thread(documents.document, data, subject=name)


async def _chunks(archive: Archive, blob: layouts.Blob) -> AsyncIterator[bytes]:
    if not blob.member:
        yield blob.data
        return
    with archive.open(blob.member) as stream:
        while chunk := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
            yield chunk


def _record(image: pb.Image) -> ImageRecord:
    target = Descriptor(image.target.media_type, image.target.digest, image.target.size)
    return ImageRecord(image.name, target, dict(image.labels))
