"""From a name to an image that is on this node and unpacked.

Documents come first, and the operator's verifier has its say before any layer is fetched. Everything is stored under a
lease that stays when a pull fails: the next one, of this process or another, goes on where it ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from executor.containerd.errors import AlreadyExists
from executor.containerd.types import Descriptor, ImageRecord, LeaseId
from executor.errors import ImageFailure, NotFound
from executor.images import layouts, reference
from executor.images import manifest as documents
from executor.images.model import PULLED_LABEL
from executor.images.node_platform import node_platforms
from executor.images.pulling import locks
from executor.images.pulling.download import Download, Tally, persistently, upload
from executor.images.pulling.verifier import verify
from executor.images.pulling.wire import Progress, Request
from executor.images.registry.helpers import ask
from executor.images.registry.hosts_dir import endpoints, node_credentials, node_helpers, proxy_credential
from executor.images.registry.proxies import Proxies
from executor.images.registry.repository import Repository
from executor.images.room import NoRoom, Room
from executor.images.select import Selected, select

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.images.registry.credentials import Credential
    from executor.images.store import ImageStore

LEASE_S: Final = 48 * 3600.0
"""How long what a failed pull has fetched is kept."""
TELL_S: Final = 0.25
"""The least time between two reports of how many bytes have come."""


async def pull(
    containerd: Containerd, store: ImageStore, request: Request, tell: Callable[[Progress], None]
) -> Progress:
    """What the pull came to. Raises PullFailure, ImageFailure, ContainerdFailure, Failure, InvalidConfig."""
    return await _Pull(containerd, store, request, tell).run()


class _Pull:
    def __init__(
        self, containerd: Containerd, store: ImageStore, request: Request, tell: Callable[[Progress], None]
    ) -> None:
        self._containerd = containerd
        self._store = store
        self._request = request
        self._settings = request.settings
        self._reference = reference.parse(request.name)
        self._name = str(self._reference)
        self._tell = tell
        self._told_at = 0.0
        self._progress = Progress()
        self._tally = Tally(self._count)
        self._read: dict[str, bytes] = {}
        self._wanted: list[str] = []
        self._room = Room(self._settings.content_dir, self._settings.reserve_percent, subject=f"image {self._name}")

    async def run(self) -> Progress:
        run_dir = Path(self._settings.run_dir)
        async with locks.held(run_dir, self._name, lambda: self._now(phase="waiting")):
            if self._request.missing_only and await self._is_here():
                return self._now(phase="done")
            self._now(phase="resolving")
            with closing(await asyncio.to_thread(self._repository)) as repository:
                return await self._from(repository)

    async def _is_here(self) -> bool:
        try:
            await self._store.lookup(self._request.name)
        except (NotFound, ImageFailure):
            return False
        return True

    def _repository(self) -> Repository:
        settings, domain = self._settings, self._reference.domain
        found = endpoints(Path(settings.hosts_dir), domain, settings.plain_http)
        own = node_credentials(Path(settings.docker_config))
        credentials = (*self._request.credentials, *own)
        helpers = node_helpers(Path(settings.docker_config))

        def ask_helper(host: str) -> Credential | None:
            name = helpers.of(host)
            return ask(name, host) if name else None

        credential = proxy_credential(Path(settings.proxy_credential_file)) if settings.proxy_credential_file else ""
        proxies = Proxies(settings.http_proxy, settings.https_proxy, settings.no_proxy, credential)
        return Repository(
            self._reference,
            found,
            credentials,
            plain_http=settings.plain_http,
            proxies=proxies,
            ask_helper=ask_helper,
        )

    async def _from(self, repository: Repository) -> Progress:
        target = await persistently(repository.resolve)
        self._now(digest=target.digest)
        await verify(self._settings.verifier, self._name, target.digest, timeout_s=self._settings.verifier_timeout_s)
        if await self._is_current(target):
            return self._now(phase="done")
        lease = await self._lease()
        try:
            await self._room.within(self._fetch(repository, target, lease))
        except NoRoom:
            await self._drop(lease)
            raise
        await self._containerd.leases.delete(lease)
        return self._now(phase="done")

    async def _fetch(self, repository: Repository, target: Descriptor, lease: LeaseId) -> None:
        """The documents and the layers into containerd, and all of it unpacked."""
        selected = await self._select(repository, target)
        layers = await self._layers(repository, selected, lease)
        missing = [each for each, _ in layers if not await self._containerd.content.exists(each.digest)]
        await self._room.check(sum(each.size_bytes for each in missing))
        self._wanted = [each.digest for each in missing]
        self._now(
            phase="downloading",
            layers=len(selected.manifest.layers),
            total_bytes=sum(each.size_bytes for each in selected.manifest.layers),
        )
        download = Download(self._containerd, repository, Path(self._settings.run_dir), lease, self._tally)
        await download.layers(layers, at_a_time=self._settings.parallel_layers)
        await self._store_documents(selected, lease)
        self._now(phase="unpacking")
        record = ImageRecord(self._name, target, {})
        await self._store.unpack(record, lease)
        await self._containerd.images.put(self._name, target, {PULLED_LABEL: _now_text()}, lease=lease)

    async def _drop(self, lease: LeaseId) -> None:
        """What a pull without room has fetched is not kept for the next one."""
        for digest in self._wanted:
            await self._containerd.content.abort(upload(self._reference.domain, digest))
        await self._containerd.leases.delete(lease, sync=True)

    async def _is_current(self, target: Descriptor) -> bool:
        """Whether the name means this already, with all of its content."""
        try:
            record = await self._containerd.images.get(self._name)
            if record.target.digest != target.digest:
                return False
            await self._store.lookup(self._name)
        except (NotFound, ImageFailure):
            return False
        return True

    async def _lease(self) -> LeaseId:
        """One a day for each image, so that failed pulls do not add up."""
        name = hashlib.sha256(self._name.encode()).hexdigest()[:16]
        lease = f"pull-{name}-{datetime.now(UTC):%Y%m%d}"
        try:
            return await self._containerd.leases.create(lease, expire_s=LEASE_S)
        except AlreadyExists:
            return LeaseId(lease)

    async def _select(self, repository: Repository, target: Descriptor) -> Selected:
        async def read(wanted: Descriptor) -> Mapping[str, object]:
            data = await self._document(repository, wanted, is_manifest=True)
            return documents.document(data, subject=f"image {self._name}")

        return await select(target, read, node_platforms(), subject=f"image {self._name}")

    async def _document(self, repository: Repository, target: Descriptor, *, is_manifest: bool) -> bytes:
        try:
            data = await self._containerd.content.read(target.digest)
        except NotFound:
            data = await persistently(partial(repository.document, target, is_manifest=is_manifest))
        self._read[target.digest] = data
        return data

    async def _layers(
        self, repository: Repository, selected: Selected, lease: LeaseId
    ) -> list[tuple[Descriptor, Mapping[str, str]]]:
        """The layers with the labels that they are stored with, from the image's configuration."""
        subject, manifest = f"image {self._name}", selected.manifest
        data = await self._document(repository, manifest.config, is_manifest=False)
        diff_ids = documents.diff_ids(documents.document(data, subject=subject), subject=subject)
        if len(diff_ids) != len(manifest.layers):
            raise ImageFailure("its manifest and its configuration have not the same layers", subject=subject)
        for layer in manifest.layers:
            documents.check_layer(layer, subject=subject)
        await self._put(manifest.config, layouts.config_labels(diff_ids), lease)
        source = {f"containerd.io/distribution.source.{self._reference.domain}": self._reference.path}
        return [
            (layer, {layouts.UNCOMPRESSED_LABEL: diff_id, **source})
            for layer, diff_id in zip(manifest.layers, diff_ids, strict=True)
        ]

    async def _store_documents(self, selected: Selected, lease: LeaseId) -> None:
        """The manifest, then the indexes around it: none refers to what is not there."""
        labels = layouts.manifest_labels(selected.manifest)
        for target in reversed(selected.path):
            await self._put(target, labels, lease)
            labels = layouts.index_labels([target])

    async def _put(self, target: Descriptor, labels: Mapping[str, str], lease: LeaseId) -> None:
        data = self._read[target.digest]

        async def chunks() -> AsyncIterator[bytes]:
            yield data

        await self._containerd.content.ensure(replace(target, size_bytes=len(data)), chunks(), labels, lease=lease)

    def _count(self) -> None:
        if time.monotonic() - self._told_at >= TELL_S:
            self._now()

    def _now(self, **changes: object) -> Progress:
        tally = self._tally
        self._progress = replace(
            self._progress,
            bytes=tally.here_bytes,
            fetched_bytes=tally.fetched_bytes,
            layers_done=tally.done,
            **changes,  # type: ignore[arg-type]
        )
        self._told_at = time.monotonic()
        self._tell(self._progress)
        return self._progress


def _now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
