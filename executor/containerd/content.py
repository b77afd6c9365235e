"""containerd's Content service: blobs by digest. containerd verifies the digest of everything it stores."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from executor.bounded_json import IMAGE_DOCUMENT
from executor.containerd.api import content_pb2 as pb
from executor.containerd.channel import Channel
from executor.containerd.errors import AlreadyExists
from executor.containerd.types import Descriptor, LeaseId
from executor.errors import ImageFailure, NotFound

_SERVICE = "content.v1.Content"
_STEP_S = 120.0
"""How long containerd may take for one message: it hashes what an earlier try has stored before it goes on."""


class Content:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def read(self, digest: str) -> bytes:
        """A whole blob; meant for documents, not for layers. NotFound, ImageFailure for one that is larger."""
        request = pb.ReadContentRequest(digest=digest)
        replies = self._channel.stream(f"{_SERVICE}/Read", request, pb.ReadContentResponse, subject=digest)
        data = bytearray()
        async with aclosing(replies):
            async for reply in replies:
                data += reply.data
                if len(data) > IMAGE_DOCUMENT.size_bytes:
                    raise ImageFailure(f"has more than {IMAGE_DOCUMENT.size_bytes} bytes", subject=f"content {digest}")
        return bytes(data)

    async def set_labels(self, digest: str, labels: Mapping[str, str]) -> None:
        """Set these labels and leave the others alone. NotFound."""
        if not labels:
            return
        info = pb.Info(digest=digest, labels=labels)
        request = pb.UpdateRequest(info=info, update_mask=FieldMask(paths=[f"labels.{key}" for key in labels]))
        await self._channel.call(f"{_SERVICE}/Update", request, pb.UpdateResponse, subject=digest)

    async def exists(self, digest: str) -> bool:
        """Whether containerd has the blob."""
        request = pb.InfoRequest(digest=digest)
        try:
            await self._channel.call(f"{_SERVICE}/Info", request, pb.InfoResponse, subject=digest)
        except NotFound:
            return False
        return True

    async def ensure(
        self, target: Descriptor, chunks: AsyncIterator[bytes], labels: Mapping[str, str], *, lease: LeaseId
    ) -> None:
        """Store a blob unless it is there, label it, and have the lease keep it either way.

        Each writer uses a reference of its own, so that two may store the same blob at the same time.
        """

        async def whole(_: int) -> tuple[int, AsyncIterator[bytes]]:
            return 0, chunks

        await self.resume(f"{target.digest}-{secrets.token_hex(4)}", target, whole, labels, lease=lease)

    async def resume(
        self,
        ref: str,
        target: Descriptor,
        source: Callable[[int], Awaitable[tuple[int, AsyncIterator[bytes]]]],
        labels: Mapping[str, str],
        *,
        lease: LeaseId,
    ) -> None:
        """As `ensure`, after what an earlier try under the same `ref` has stored: `source` gets the size of that and
        gives the offset at which its chunks begin, the same or 0.

        ContainerdUnavailable while another writer uses this `ref`, ContainerdFailure for other content than `target`.
        What `source` raises is raised, and what came before it stays for the next try.
        """
        try:
            await self._write(ref, target, source, labels, lease)
        except AlreadyExists:
            await self.set_labels(target.digest, labels)

    async def abort(self, ref: str) -> None:
        """Drop what a try under `ref` has stored. Idempotent."""
        try:
            await self._channel.call(f"{_SERVICE}/Abort", pb.AbortRequest(ref=ref), Empty, subject=ref)
        except NotFound:
            return

    async def _write(
        self,
        ref: str,
        target: Descriptor,
        source: Callable[[int], Awaitable[tuple[int, AsyncIterator[bytes]]]],
        labels: Mapping[str, str],
        lease: LeaseId,
    ) -> None:
        size, digest = target.size_bytes, target.digest
        async with self._channel.exchange(
            f"{_SERVICE}/Write", pb.WriteContentResponse, subject=digest, step_s=_STEP_S, lease=lease
        ) as ask:
            # Equal to the size at once when another namespace holds the blob: then there is nothing to send.
            offset = (await ask(pb.WriteContentRequest(action=pb.STAT, ref=ref, total=size, expected=digest))).offset
            if offset < size:
                offset, chunks = await source(offset)
                async for data in chunks:
                    offset = (await ask(pb.WriteContentRequest(action=pb.WRITE, offset=offset, data=data))).offset
            request = pb.WriteContentRequest(
                action=pb.COMMIT, offset=offset, total=size, expected=digest, labels=labels
            )
            await ask(request)
