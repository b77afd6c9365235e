"""The images of this node in containerd: looked up, imported, unpacked. Owns what was read of their documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from executor.containerd.types import Descriptor, ImageRecord, LeaseId
from executor.errors import ContainerdFailure, ContainerdUnavailable, ImageFailure, NotFound
from executor.images import layouts, reference
from executor.images import manifest as documents
from executor.images.archive import Archive
from executor.images.failures import DamagedImage, IncompleteImage
from executor.images.model import Image, ImageConfig
from executor.images.node_platform import node_platforms
from executor.images.select import select
from executor.images.unpack import Unpacker

if TYPE_CHECKING:
    from executor.containerd import Containerd

KNOWN_MAX: Final = 256
"""Images whose documents are remembered; those that were used last."""
_CHUNK_BYTES = 1 << 20
_SMALL_BYTES = 64 << 10
_HINT_INCOMPLETE = "pull or import it again"
_HINT_DAMAGED = "look at the node's disk, remove the image and this content from containerd, and pull it again"
_LEASE_S: Final = 3600.0  # longer than any import takes; only a process that died leaves a lease behind


@dataclass(frozen=True)
class _Content:
    """What the documents behind a digest say: immutable, so it is read once."""

    config_digest: str
    config: ImageConfig
    layers: tuple[Descriptor, ...]
    diff_ids: tuple[str, ...]
    chain_id: str


class ImageStore:
    """For one connection to containerd and its namespace; `known_max` images have their documents remembered."""

    def __init__(self, containerd: Containerd, *, known_max: int = KNOWN_MAX) -> None:
        self._known_max = known_max
        self._containerd = containerd
        self._unpacker = Unpacker(containerd)
        self._known: dict[str, _Content | ImageFailure] = {}
        self._reading: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def known(self) -> tuple[str, ...]:
        """Digests of the images whose documents are remembered."""
        return tuple(self._known)

    async def lookup(self, name: str) -> Image:
        """An image of this node, by its stored or its familiar name or by its digest, unpacked if it was not.

        NotFound if there is none of that name, IncompleteImage if a part of it is missing, DamagedImage if one is not
        what it was, ImageFailure if its content cannot be used.
        """
        record = await self._get(name)
        known = await self._content(record)
        if known.chain_id and not await self._containerd.snapshots.exists(known.chain_id):
            async with self._containerd.leases.hold("unpack", expire_s=_LEASE_S) as lease:
                await self._unpack(record.name, known, lease)
        return Image(record.name, record.target.digest, known.chain_id, known.config)

    async def import_archive(self, path: Path | str, *, name: str = "") -> list[str]:
        """Store and unpack every image of an OCI or docker archive; the names they have now.

        `name` is for the image of an archive that names none. ImageFailure names the file.
        """
        with await asyncio.to_thread(Archive, Path(path)) as archive:
            found = await asyncio.to_thread(layouts.images, archive)
            async with self._containerd.leases.hold("import", expire_s=_LEASE_S) as lease:
                return [await self._import(archive, image, image.name or name, lease) for image in found]

    async def _get(self, name: str) -> ImageRecord:
        for candidate in reference.candidates(name):
            try:
                return await self._containerd.images.get(candidate)
            except NotFound:
                continue
        if digest := reference.digest_of(name):
            found = await self._containerd.images.list(digest=digest)
            if found:
                return _nearest(found, name)
        namespace = self._containerd.namespace
        hint = "bring it here: mesos-pod-executor images pull, or images import"
        raise NotFound(f"no such image in containerd's namespace {namespace}", subject=name, hint=hint)

    async def _content(self, record: ImageRecord) -> _Content:
        """Pods that start together read an image's documents once, the usable and the unusable ones."""
        digest = record.target.digest
        reading = self._reading.setdefault(digest, asyncio.Lock())
        async with reading:
            found = self._known.pop(digest, None) or await self._first_read(record)
            self._known[digest] = found
        while len(self._known) > self._known_max:
            del self._known[next(iter(self._known))]
        if isinstance(found, ImageFailure):
            raise type(found)(found.message, subject=record.name, hint=found.hint)
        return found

    async def _first_read(self, record: ImageRecord) -> _Content | ImageFailure:
        """An unusable image stays so: its failure is a result. Raises IncompleteImage, DamagedImage: what is missing
        may come, and what is damaged may be replaced.
        """
        try:
            return await self._read(record)
        except (IncompleteImage, DamagedImage):
            raise
        except ImageFailure as error:
            return error.with_traceback(None)

    async def _read(self, record: ImageRecord) -> _Content:
        """Raises ImageFailure; where a document is missing IncompleteImage, for it may be what would have been used."""
        name, documents_read = record.name, _Documents(self._containerd, record.name)
        try:
            found = await select(record.target, documents_read.read, node_platforms(), subject=name)
            manifest, value = found.manifest, await documents_read.read(found.manifest.config)
        except DamagedImage:
            raise
        except ImageFailure as error:
            if not documents_read.missing:
                raise
            raise IncompleteImage(error.message, subject=name, hint=_HINT_INCOMPLETE) from error
        if value is None:
            problem = f"its content {manifest.config.digest} is not on this node"
            raise IncompleteImage(problem, subject=name, hint=_HINT_INCOMPLETE)
        diff_ids = documents.diff_ids(value, subject=record.name)
        if len(diff_ids) != len(manifest.layers):
            raise ImageFailure("its manifest and its configuration have not the same layers", subject=record.name)
        chain = documents.chain_ids(diff_ids)
        return _Content(
            manifest.config.digest,
            documents.image_config(value, subject=record.name),
            manifest.layers,
            diff_ids,
            chain[-1] if chain else "",
        )

    async def size_bytes(self, name: str) -> int:
        """The size of its layers as they are stored. Raises NotFound, ImageFailure."""
        found = await self._content(await self._get(name))
        return sum(layer.size_bytes for layer in found.layers)

    async def unpack(self, record: ImageRecord, lease: LeaseId) -> None:
        """Unpack what `record` refers to; the lease keeps it. Raises ImageFailure, ContainerdFailure."""
        await self._unpack(record.name, await self._read(record), lease)

    async def _unpack(self, name: str, known: _Content, lease: LeaseId) -> None:
        # The label comes first: from the moment that the last snapshot exists, the image keeps it.
        await self._containerd.content.set_labels(known.config_digest, layouts.config_labels(known.diff_ids))
        await self._unpacker.ensure(name, known.layers, known.diff_ids, lease)

    async def _import(self, archive: Archive, image: layouts.ArchivedImage, name: str, lease: LeaseId) -> str:
        if not name:
            raise ImageFailure("the archive gives its image no name", subject=str(archive.path), hint="give one")
        record = ImageRecord(reference.normalise(name), image.target, {})
        try:
            for blob in image.blobs:
                await self._containerd.content.ensure(blob.target, _chunks(archive, blob), blob.labels, lease=lease)
            await self.unpack(record, lease)
            await self._containerd.images.put(record.name, record.target, lease=lease)
        except ContainerdUnavailable:
            raise
        except (ContainerdFailure, ImageFailure) as error:
            raise ImageFailure(f"cannot import {record.name}: {error}", subject=str(archive.path)) from error
        return record.name


def _nearest(records: Sequence[ImageRecord], name: str) -> ImageRecord:
    """Among several names of the same content, one of the same repository if there is one."""
    repository = reference.parse(name).repository
    same = [each for each in records if each.name.startswith((f"{repository}:", f"{repository}@"))]
    return (same or list(records))[0]


class _Documents:
    """The documents of one image, called `name`; `missing` says whether one that was asked for is not on this node."""

    def __init__(self, containerd: Containerd, name: str) -> None:
        self._containerd, self._name = containerd, name
        self.missing = False

    async def read(self, target: Descriptor) -> Mapping[str, object] | None:
        """None: it is not on this node. A large one is not read on the event loop. Raises ImageFailure."""
        try:
            data = await self._containerd.content.read(target.digest)
        except NotFound:
            self.missing = True
            return None
        except ImageFailure as error:
            raise ImageFailure(f"its content {target.digest} {error.message}", subject=self._name) from error
        if len(data) <= _SMALL_BYTES:
            return _document(data, target.digest, self._name)
        return await asyncio.to_thread(_document, data, target.digest, self._name)


def _document(data: bytes, digest: str, name: str) -> Mapping[str, object]:
    """containerd compares with the digest only once, when it stores a blob."""
    if not layouts.matches(data, digest):
        problem = f"its content {digest} on this node is damaged: its digest is another one"
        raise DamagedImage(problem, subject=name, hint=_HINT_DAMAGED)
    return documents.document(data, subject=name)


async def _chunks(archive: Archive, blob: layouts.Blob) -> AsyncIterator[bytes]:
    if not blob.member:
        yield blob.data
        return
    with archive.open(blob.member) as stream:
        while chunk := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
            yield chunk
