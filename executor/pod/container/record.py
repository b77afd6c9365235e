"""What containerd has of one container: its record, with its OCI document, and the task that is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.containerd.types import RuncOptions
from executor.log import get_logger
from executor.pod.container import closed_devices
from executor.pod.container.placement import runtime_spec, without_secrets
from executor.pod.node import STREAMS, log_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from executor.containerd.types import Mount
    from executor.images.model import Image
    from executor.names import ContainerId, PodId
    from executor.oci.users import UserIds
    from executor.pod.node import Node
    from executor.pod.sandbox import Sandbox
    from executor.spec.model import ContainerSpec, PodSpec

log = get_logger(__name__)


@dataclass(frozen=True)
class Record:
    """What is known of the container by then; `layers` are the mounts of its `snapshot`."""

    id: ContainerId
    spec: ContainerSpec
    image: Image
    snapshot: str
    user: UserIds
    layers: Sequence[Mount]

    async def make(self, node: Node, pod: PodId, sandbox: Sandbox, spec: PodSpec) -> Any:
        """The record, in a prepared pod. Returns `process` of its OCI document. Raises Failure, ImageFailure,
        InvalidTask, ContainerdFailure.
        """
        sandbox.check_files()
        await sandbox.tasks.own(self.spec, self.user)
        document = await runtime_spec(node, pod, sandbox, spec, self.spec, self.image, self.user, self.layers)
        program = node.runtimes[spec.pod_class]
        document, binary_name = await without_secrets(document, node, sandbox, self.spec, self.id, program)
        await node.containerd.containers.create(
            self.id,
            image=self.image.name,
            snapshot_key=self.snapshot,
            spec=document,
            labels=node.labels(pod),
            shim_group=pod,
            options=RuncOptions(binary_name=binary_name, shim_cgroup=node.shim_cgroup(spec.pod_class)),
        )
        return document["process"]

    async def make_task(self, node: Node, pod: PodId, sandbox: Sandbox, spec: PodSpec) -> int:
        """The first process, which waits to be started. Raises Failure, ContainerdFailure; then it may be there."""
        name = self.spec.name
        logs, bound = {stream: log_name(name, stream) for stream in STREAMS}, log.bind(pod=pod, container=name)
        with node.outputs.opened(self.id, sandbox.files, logs, bound) as fifos:
            pid = await node.containerd.tasks.create(self.id, self.layers, terminal=self.spec.tty, **fifos)
        await closed_devices.close(node, pod, spec, self.spec)
        return pid
