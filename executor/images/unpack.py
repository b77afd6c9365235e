"""Unpacking: an image's layers become a chain of committed snapshots (containerd's Diff service applies each).

Safe for any number of callers, in this process or another: each extracts under a key of its own, and the one who
commits second finds the name taken and uses it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor.containerd.errors import AlreadyExists
from executor.errors import ImageFailure
from executor.images import manifest as documents

if TYPE_CHECKING:
    from executor.containerd import Containerd
    from executor.containerd.types import Descriptor, LeaseId


class Unpacker:
    def __init__(self, containerd: Containerd) -> None:
        self._diff = containerd.diff
        self._snapshots = containerd.snapshots
        self._leases = containerd.leases
        self._locks: dict[str, asyncio.Lock] = {}

    async def ensure(self, image: str, layers: Sequence[Descriptor], diff_ids: Sequence[str], lease: LeaseId) -> None:
        """Every snapshot of the chain exists and the lease holds it. ImageFailure names `image`."""
        parent = ""
        for layer, diff_id, name in zip(layers, diff_ids, documents.chain_ids(diff_ids), strict=True):
            await self._leases.keep(lease, f"snapshots/{self._snapshots.snapshotter}", name)
            async with self._locks.setdefault(name, asyncio.Lock()):  # spares two launches the same work
                if not await self._snapshots.exists(name):
                    await self._extract(image, layer, diff_id, parent, name, lease)
            self._locks.pop(name, None)
            parent = name

    async def _extract(
        self, image: str, layer: Descriptor, diff_id: str, parent: str, name: str, lease: LeaseId
    ) -> None:
        key = f"extract-{secrets.token_hex(6)} {name}"
        mounts = await self._snapshots.prepare(key, parent, lease=lease)
        try:
            applied = await self._diff.apply(layer, mounts, subject=image, lease=lease)
            if applied != diff_id:
                message = f"layer {layer.digest} unpacks to {applied}, the configuration says {diff_id}"
                raise ImageFailure(message, subject=image)
            await self._snapshots.commit(name, key, lease=lease)
        except AlreadyExists:
            await self._snapshots.remove(key)
        except BaseException:
            # The lease would have it collected in the end; this is sooner. Shielded: we may be being cancelled.
            await asyncio.shield(self._snapshots.remove(key))
            raise
