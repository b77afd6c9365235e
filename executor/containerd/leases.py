"""containerd's Leases service: what is made under a lease is not garbage collected before the lease ends.

A Prepared snapshot that neither a lease nor a container record holds vanishes within a tenth of a second of any
unrelated delete, so the caller of prepare holds a lease until the container's record exists.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from google.protobuf.empty_pb2 import Empty

from executor.containerd.api import leases_pb2 as pb
from executor.containerd.channel import QUICK_S, SLOW_S, Channel
from executor.containerd.convert import label_filter
from executor.containerd.types import Lease, LeaseId
from executor.errors import NotFound

_SERVICE = "leases.v1.Leases"
_EXPIRE_LABEL = "containerd.io/gc.expire"


class Leases:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def create(
        self, lease_id: str, labels: Mapping[str, str] | None = None, *, expire_s: float | None
    ) -> LeaseId:
        """`expire_s` seconds from now containerd drops the lease by itself; None is never. AlreadyExists."""
        marks = dict(labels or {})
        if expire_s is not None:
            moment = datetime.now(UTC) + timedelta(seconds=expire_s)
            marks[_EXPIRE_LABEL] = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
        request = pb.CreateRequest(id=lease_id, labels=marks)
        await self._channel.call(f"{_SERVICE}/Create", request, pb.CreateResponse, subject=lease_id)
        return LeaseId(lease_id)

    async def delete(self, lease_id: LeaseId, *, sync: bool = False) -> None:
        """Idempotent. With `sync` the call returns after the garbage collection that it causes."""
        request = pb.DeleteRequest(id=lease_id, sync=sync)
        timeout_s = SLOW_S if sync else QUICK_S
        try:
            await self._channel.call(f"{_SERVICE}/Delete", request, Empty, subject=lease_id, timeout_s=timeout_s)
        except NotFound:
            return

    async def list(self, labels: Mapping[str, str] | None = None) -> tuple[Lease, ...]:
        """The leases that carry all of `labels`; an empty value stands for any."""
        request = pb.ListRequest(filters=label_filter(labels or {}))
        reply = await self._channel.call(f"{_SERVICE}/List", request, pb.ListResponse, subject="leases")
        return tuple(Lease(LeaseId(lease.id), dict(lease.labels)) for lease in reply.leases)

    async def keep(self, lease_id: LeaseId, kind: str, name: str) -> None:
        """Let the lease hold an object too, there yet or not. `kind` is as in `snapshots/overlayfs` or `content`."""
        request = pb.AddResourceRequest(id=lease_id, resource=pb.Resource(id=name, type=kind))
        await self._channel.call(f"{_SERVICE}/AddResource", request, Empty, subject=lease_id)

    @asynccontextmanager
    async def hold(self, prefix: str, *, expire_s: float) -> AsyncIterator[LeaseId]:
        """A lease for the time of a block. If the process dies inside, containerd drops it after `expire_s` seconds."""
        async with self.named(f"{prefix}-{secrets.token_hex(6)}", expire_s=expire_s) as lease:
            yield lease

    @asynccontextmanager
    async def named(
        self, lease_id: str, labels: Mapping[str, str] | None = None, *, expire_s: float
    ) -> AsyncIterator[LeaseId]:
        """As `hold`, with an id that the caller knows, so that it can be removed after a block that was cut off."""
        lease = await self.create(lease_id, labels, expire_s=expire_s)
        try:
            yield lease
        finally:
            await self.delete(lease)
