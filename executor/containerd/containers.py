"""containerd's Containers service: records only. A container's record refers to its snapshot and so keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty

from executor.containerd import convert
from executor.containerd.api import containers_pb2 as pb
from executor.containerd.api import runc_options_pb2
from executor.containerd.channel import Channel
from executor.containerd.types import RUNTIME, SHIM_GROUP_ANNOTATION, SNAPSHOTTER, Container, LeaseId, RuncOptions
from executor.errors import NotFound

_SERVICE = "containers.v1.Containers"


class Containers:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def create(
        self,
        container_id: str,
        *,
        image: str,
        snapshot_key: str,
        spec: Mapping[str, object] | bytes,
        labels: Mapping[str, str] | None = None,
        options: RuncOptions | None = None,
        shim_group: str = "",
        lease: LeaseId | None = None,
    ) -> None:
        """Record a container. `spec` is an OCI runtime document; `shim_group` names containers that share a shim.

        AlreadyExists.
        """
        container = pb.Container(
            id=container_id,
            image=image,
            labels=labels or {},
            runtime=pb.Container.Runtime(name=RUNTIME, options=_options(options or RuncOptions())),
            spec=convert.document(convert.SPEC_TYPE, with_shim_group(spec, shim_group)),
            snapshotter=SNAPSHOTTER,
            snapshot_key=snapshot_key,
        )
        request = pb.CreateContainerRequest(container=container)
        await self._channel.call(
            f"{_SERVICE}/Create", request, pb.CreateContainerResponse, subject=container_id, lease=lease
        )

    async def get(self, container_id: str) -> Container:
        """NotFound."""
        request = pb.GetContainerRequest(id=container_id)
        reply = await self._channel.call(f"{_SERVICE}/Get", request, pb.GetContainerResponse, subject=container_id)
        return _container(reply.container)

    async def list(self, labels: Mapping[str, str] | None = None) -> tuple[Container, ...]:
        """The containers that carry all of `labels`; an empty value stands for any. Streamed: no limit on the sum."""
        request = pb.ListContainersRequest(filters=convert.label_filter(labels or {}))
        replies = self._channel.stream(f"{_SERVICE}/ListStream", request, pb.ListContainerMessage, subject="containers")
        return tuple([_container(reply.container) async for reply in replies])

    async def delete(self, container_id: str) -> None:
        """Remove the record; its snapshot stays until it is removed or collected. Idempotent."""
        request = pb.DeleteContainerRequest(id=container_id)
        try:
            await self._channel.call(f"{_SERVICE}/Delete", request, Empty, subject=container_id)
        except NotFound:
            return


def with_shim_group(spec: Mapping[str, object] | bytes, group: str) -> Mapping[str, object] | bytes:
    """The document with the annotation by which containerd's shim finds its group. Pure."""
    if not group:
        return spec
    value = json.loads(spec) if isinstance(spec, bytes) else spec
    annotations = value.get("annotations")
    kept = annotations if isinstance(annotations, Mapping) else {}
    return {**value, "annotations": {**kept, SHIM_GROUP_ANNOTATION: group}}


def _options(options: RuncOptions) -> AnyMessage:
    message = runc_options_pb2.Options(
        binary_name=options.binary_name,
        root=options.root,
        shim_cgroup=options.shim_cgroup,
    )
    return AnyMessage(type_url="containerd.runc.v1.Options", value=message.SerializeToString())


def _container(message: pb.Container) -> Container:
    return Container(
        id=message.id,
        image=message.image,
        snapshot_key=message.snapshot_key,
        labels=dict(message.labels),
        spec=message.spec.value,
        created_at=convert.when(message.created_at),
    )
