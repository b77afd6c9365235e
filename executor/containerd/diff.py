"""containerd's Diff service: a layer's files are written into a snapshot."""

from __future__ import annotations

from collections.abc import Sequence

from executor.containerd import convert
from executor.containerd.api import diff_pb2 as pb
from executor.containerd.channel import Channel
from executor.containerd.types import Descriptor, LeaseId, Mount

_SERVICE = "diff.v1.Diff"
_APPLY_TIMEOUT_S = 600.0


class Diff:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def apply(self, layer: Descriptor, mounts: Sequence[Mount], *, subject: str, lease: LeaseId) -> str:
        """Unpack a stored layer into the snapshot that `mounts` are of. The digest of what it was uncompressed.

        `subject` is the image that errors name. ContainerdFailure.
        """
        request = pb.ApplyRequest(diff=convert.descriptor_message(layer), mounts=convert.mount_messages(mounts))
        reply = await self._channel.call(
            f"{_SERVICE}/Apply", request, pb.ApplyResponse, subject=subject, timeout_s=_APPLY_TIMEOUT_S, lease=lease
        )
        return str(reply.applied.digest)
