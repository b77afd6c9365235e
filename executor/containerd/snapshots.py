"""containerd's Snapshots service: root file systems. An active snapshot has a key, a committed one a name."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.empty_pb2 import Empty

from executor.containerd import convert
from executor.containerd.api import snapshots_pb2 as pb
from executor.containerd.channel import SLOW_S, Channel
from executor.containerd.types import SNAPSHOTTER, LeaseId, Mount, Snapshot, SnapshotKind
from executor.errors import NotFound

_SERVICE = "snapshots.v1.Snapshots"
_KINDS = {pb.VIEW: SnapshotKind.VIEW, pb.ACTIVE: SnapshotKind.ACTIVE, pb.COMMITTED: SnapshotKind.COMMITTED}


class Snapshots:
    def __init__(self, channel: Channel, snapshotter: str = SNAPSHOTTER) -> None:
        self._channel = channel
        self.snapshotter = snapshotter

    async def prepare(
        self, key: str, parent: str, *, lease: LeaseId | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Mount]:
        """A writable snapshot over `parent` ("" for an empty one). AlreadyExists, NotFound (the parent).

        Without a lease it lives only once a container's record refers to it, which may be too late: see leases.py.
        """
        request = pb.PrepareSnapshotRequest(snapshotter=self.snapshotter, key=key, parent=parent, labels=labels or {})
        method = f"{_SERVICE}/Prepare"
        reply = await self._channel.call(
            method, request, pb.PrepareSnapshotResponse, subject=key, timeout_s=SLOW_S, lease=lease
        )
        return convert.mounts(reply.mounts)

    async def mounts(self, key: str) -> list[Mount]:
        """The mounts of an active snapshot. NotFound."""
        request = pb.MountsRequest(snapshotter=self.snapshotter, key=key)
        reply = await self._channel.call(f"{_SERVICE}/Mounts", request, pb.MountsResponse, subject=key)
        return convert.mounts(reply.mounts)

    async def commit(self, name: str, key: str, *, lease: LeaseId | None = None) -> None:
        """Make the active snapshot `key` the committed one `name`. AlreadyExists when there is one of that name."""
        request = pb.CommitSnapshotRequest(snapshotter=self.snapshotter, name=name, key=key)
        await self._channel.call(f"{_SERVICE}/Commit", request, Empty, subject=name, timeout_s=SLOW_S, lease=lease)

    async def exists(self, key: str) -> bool:
        """Whether containerd has the snapshot."""
        request = pb.StatSnapshotRequest(snapshotter=self.snapshotter, key=key)
        try:
            await self._channel.call(f"{_SERVICE}/Stat", request, pb.StatSnapshotResponse, subject=key)
        except NotFound:
            return False
        return True

    async def usage(self, key: str) -> int:
        """Bytes of disk that an active snapshot uses itself, without its parents; containerd counts now. NotFound."""
        request = pb.UsageRequest(snapshotter=self.snapshotter, key=key)
        reply = await self._channel.call(f"{_SERVICE}/Usage", request, pb.UsageResponse, subject=key, timeout_s=SLOW_S)
        return int(reply.size)

    async def remove(self, key: str) -> None:
        """Idempotent."""
        request = pb.RemoveSnapshotRequest(snapshotter=self.snapshotter, key=key)
        try:
            await self._channel.call(f"{_SERVICE}/Remove", request, Empty, subject=key, timeout_s=SLOW_S)
        except NotFound:
            return

    async def list(self, labels: Mapping[str, str] | None = None) -> tuple[Snapshot, ...]:
        """The snapshots that carry all of `labels`; an empty value stands for any."""
        request = pb.ListSnapshotsRequest(snapshotter=self.snapshotter, filters=convert.label_filter(labels or {}))
        replies = self._channel.stream(f"{_SERVICE}/List", request, pb.ListSnapshotsResponse, subject="snapshots")
        return tuple([_snapshot(info) async for reply in replies for info in reply.info])


def _snapshot(info: pb.Info) -> Snapshot:
    return Snapshot(info.name, info.parent, _KINDS.get(info.kind, SnapshotKind.UNKNOWN), dict(info.labels))
