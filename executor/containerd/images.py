"""containerd's Images service: records only. A name refers to the content of an image by its digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask

from executor.containerd import convert
from executor.containerd.api import images_pb2 as pb
from executor.containerd.channel import QUICK_S, SLOW_S, Channel
from executor.containerd.errors import AlreadyExists
from executor.containerd.types import Descriptor, ImageRecord, LeaseId
from executor.errors import NotFound

_SERVICE = "images.v1.Images"


class Images:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def get(self, name: str) -> ImageRecord:
        """The record of exactly this name. NotFound."""
        request = pb.GetImageRequest(name=name)
        reply = await self._channel.call(f"{_SERVICE}/Get", request, pb.GetImageResponse, subject=name)
        return _record(reply.image)

    async def list(self, *, digest: str = "") -> tuple[ImageRecord, ...]:
        """Every image of the namespace; with `digest` those whose target it is."""
        request = pb.ListImagesRequest(filters=[f"target.digest=={digest}"] if digest else [])
        reply = await self._channel.call(f"{_SERVICE}/List", request, pb.ListImagesResponse, subject="images")
        return tuple(_record(image) for image in reply.images)

    async def put(
        self, name: str, target: Descriptor, labels: Mapping[str, str] | None = None, *, lease: LeaseId | None = None
    ) -> None:
        """Let `name` refer to `target`, whether it exists already or not; labels that are not named stay."""
        marks = dict(labels or {})
        image = pb.Image(name=name, target=convert.descriptor_message(target), labels=marks)
        try:
            create = pb.CreateImageRequest(image=image)
            await self._channel.call(f"{_SERVICE}/Create", create, pb.CreateImageResponse, subject=name, lease=lease)
        except AlreadyExists:
            await self._update(image, ["target", *(f"labels.{key}" for key in marks)], lease)

    async def set_labels(self, name: str, labels: Mapping[str, str]) -> None:
        """Set these labels and leave the others alone. NotFound."""
        await self._update(pb.Image(name=name, labels=labels), [f"labels.{key}" for key in labels], None)

    async def _update(self, image: pb.Image, paths: Sequence[str], lease: LeaseId | None) -> None:
        image.target.SetInParent()  # without a target containerd 2.1 crashes, also where only labels change
        update = pb.UpdateImageRequest(image=image, update_mask=FieldMask(paths=paths))
        await self._channel.call(f"{_SERVICE}/Update", update, pb.UpdateImageResponse, subject=image.name, lease=lease)

    async def delete(self, name: str, *, sync: bool = False) -> None:
        """Remove a name; its content goes with the next garbage collection, with `sync` before the return.

        Idempotent.
        """
        request = pb.DeleteImageRequest(name=name, sync=sync)
        timeout_s = SLOW_S if sync else QUICK_S
        try:
            await self._channel.call(f"{_SERVICE}/Delete", request, Empty, subject=name, timeout_s=timeout_s)
        except NotFound:
            return


def _record(image: pb.Image) -> ImageRecord:
    target = Descriptor(image.target.media_type, image.target.digest, image.target.size)
    return ImageRecord(image.name, target, dict(image.labels))
