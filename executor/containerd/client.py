"""One connection to containerd, in one containerd namespace, with a part for each of its services."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from google.protobuf.empty_pb2 import Empty

from executor.containerd.api import namespaces_pb2, version_pb2
from executor.containerd.channel import Channel
from executor.containerd.containers import Containers
from executor.containerd.content import Content
from executor.containerd.diff import Diff
from executor.containerd.errors import AlreadyExists
from executor.containerd.events import Events
from executor.containerd.images import Images
from executor.containerd.leases import Leases
from executor.containerd.snapshots import Snapshots
from executor.containerd.tasks import Tasks


class Containerd:
    """Open it outside of the task group whose tasks use it, so that it is closed after they have ended.

    Also an async context manager, which closes it.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._addresses = {channel.socket}
        self.content = Content(channel)
        self.leases = Leases(channel)
        self.snapshots = Snapshots(channel)
        self.images = Images(channel)
        self.diff = Diff(channel)
        self.containers = Containers(channel)
        self.tasks = Tasks(channel)
        self.events = Events(channel)

    @classmethod
    async def connect(cls, address: str, namespace: str) -> Containerd:
        """Connect to the socket at `address` (a path or a unix:// URL) and ensure the namespace.

        ContainerdUnavailable names the socket when no answer comes.
        """
        channel = Channel(address, namespace)
        try:
            await _ensure_namespace(channel)
        except BaseException:
            await channel.close()
            raise
        return cls(channel)

    @property
    def namespace(self) -> str:
        """containerd's namespace of all requests."""
        return self._channel.namespace

    @property
    def addresses(self) -> set[str]:
        """The paths of containerd's socket that are known: as it is configured here, and as shims that containerd has
        started call it. The release of a pod adds those that it learns of.
        """
        return self._addresses

    @property
    def address(self) -> str:
        """The path of containerd's socket."""
        return self._channel.socket

    async def close(self) -> None:
        """Calls that are under way end in ContainerdUnavailable. Idempotent."""
        await self._channel.close()

    async def version(self) -> str:
        """containerd's version, as in `1.6.20~ds1`."""
        method, reply_type = "version.v1.Version/Version", version_pb2.VersionResponse
        reply = await self._channel.call(method, Empty(), reply_type, subject=self._channel.socket)
        return str(reply.version)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def _ensure_namespace(channel: Channel) -> None:
    request = namespaces_pb2.CreateNamespaceRequest(namespace=namespaces_pb2.Namespace(name=channel.namespace))
    method = "namespaces.v1.Namespaces/Create"
    try:
        await channel.call(method, request, namespaces_pb2.CreateNamespaceResponse, subject=channel.namespace)
    except AlreadyExists:
        return
