"""What the containers of one pod share: its cgroup, its network namespace with the attachments, its files and volumes.

Made before and removed after the containers. Every part can be removed when only some of it was made. The order of
removal is what keeps a node clean: attachments are deleted while the network namespace is still there, the cgroup
when nothing is in it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cgroups import CgroupError
from executor.cni import resolver
from executor.cni.plugins.limit import FIRST_RELEASE_S
from executor.disk.logs import cut
from executor.disk.removal import Removal
from executor.disk.turns import Call
from executor.dns.names import to_labels
from executor.errors import CgroupFailure, ExecutorError, Failure, reason
from executor.hostnames import parse_address
from executor.log import get_logger
from executor.names import PODS, TASKS, PodId
from executor.oci.mounts import NOTICE, termination_name
from executor.own_directory import Opened, OwnDirectory, ensure_below, make_directory, open_directory, open_file
from executor.pod.container import termination
from executor.pod.container.pid_namespace import PidNamespace
from executor.pod.network import host_files, host_ports
from executor.pod.network.requests import has_loopback_only, network_infos, requests
from executor.pod.release.leaks import Leak
from executor.pod.task_sandboxes import TaskSandboxes
from executor.volumes.empty_dir import IMAGE_VOLUME, VOLUMES
from executor.volumes.pod_volumes import PodVolumes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractContextManager

    from executor.cni import Attachment, Dns
    from executor.disk.usage import DiskUsage
    from executor.dns import PodNames
    from executor.pod.node import Node
    from executor.spec.model import PodSpec

log = get_logger(__name__)

GENERATED: Final = ("resolv.conf", "hosts", "hostname")
_HINT: Final = "a file of the pod was removed or replaced: look at who may write in the Mesos sandbox"


class Sandbox:
    def __init__(self, node: Node, pod: PodId, spec: PodSpec) -> None:
        self._node = node
        self._pod = pod
        self._spec = spec
        self.requests = requests(spec, node.network.default)
        self._has_netns = bool(self.requests) or has_loopback_only(spec, node.network.default)
        self.directory = node.directory(pod)
        """For messages, and for who reads."""
        self.files = OwnDirectory(str(node.mesos_sandbox), PODS, pod)
        """The same, for every use."""
        self.cgroup = node.tree.pod(spec.pod_class, spec.role, pod)
        self.volumes = PodVolumes(
            spec,
            files=self.files,
            mounts_dir=node.mounts(pod),
            mesos_sandbox=node.mesos_sandbox,
            turns=node.owning,
        )
        self.tasks = TaskSandboxes(node, pod, spec, self.files)
        self.pids = PidNamespace(self.cgroup) if spec.share_pids else None
        """None: each container has its own."""
        self.attachments: tuple[Attachment, ...] = ()
        self._names: PodNames | None = None
        self._release_limit_s: float | None = FIRST_RELEASE_S
        """Then None: what did not end in that time is given the time that it needs."""
        self.disk: DiskUsage | None = None
        """As it was counted last (executor.pod.disk.watch)."""
        self.logs_removed = ""
        """The limit for which the pod's logs were removed after its end: count, age or space."""

    def note_removed_logs(self, reason: str) -> None:
        """After the pod's end its logs were removed for `reason`, which is a limit: count, age or space."""
        self.logs_removed = reason

    @property
    def netns(self) -> Path | None:
        """The pod's own network namespace; None: it shares the executor's or the node's."""
        return self._node.netns(self._pod) if self._has_netns else None

    @property
    def namespace(self) -> Path | None:
        """The network namespace that the containers join; None: they stay in containerd's, which is the node's."""
        return self.netns or self._node.network.namespace(self._spec)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The pod's own, none where its networks gave none; without networks of its own those that it shares."""
        return self.ips if self._has_netns else self._node.network.addresses(self._spec)

    @property
    def ips(self) -> tuple[str, ...]:
        """Without prefix length, in the order of the networks; a loopback's is not an address of the pod."""
        found = [parse_address(ip) for attachment in self.attachments for ip in attachment.ips]
        return tuple(str(ip) for ip in found if ip is not None and not ip.is_loopback)

    @property
    def network_infos(self) -> list[dict[str, Any]]:
        """For status updates. Where the framework has put the executor on a network, the agent adds those itself."""
        if not self._has_netns and self._node.network.names and not self._spec.host_network:
            return []
        return network_infos(self.requests, self.attachments, self.addresses)

    @property
    def labels(self) -> dict[str, str]:
        """For status updates: the pod's names, while it has any, for the name servers of other nodes."""
        published = self._node.names
        return to_labels(self._names, published.zones) if published is not None and self._names is not None else {}

    async def prepare(self) -> None:
        """The cgroup, directories, files, volumes, the namespace without a network. Raises CgroupFailure, Failure."""
        try:
            await self._node.classes.admit(self._pod, self._spec)
        except CgroupError as error:
            raise CgroupFailure(str(error), subject=self.cgroup.path) from error
        try:
            self._make_files()
        except OSError as error:
            subject, hint = str(error.filename or self.directory), "look at the disk of the Mesos work directory"
            raise Failure(reason(error), subject=subject, hint=hint) from error
        await self.volumes.prepare()
        if self.netns is not None:
            await self._node.cni.open_namespace(self.netns)

    def _make_files(self) -> None:
        self.files.make()
        with self.files.opened() as directory:
            make_directory(directory, NOTICE)
            for volume in self._spec.empty_dirs:
                with Opened(ensure_below(directory, VOLUMES, volume.name)) as made:
                    self.volumes.own(made)
            self.tasks.make(directory)
        host_files.write(self.files, "hostname", f"{self._spec.hostname}\n")
        self._write_names(())
        for container in self._spec.containers:
            termination.renew(self.files, container)

    def image_volume(self, name: str) -> Path:
        """An empty directory for a VOLUME that its image does not have. Raises Failure."""
        own = f"{IMAGE_VOLUME}{name}"
        try:
            with self.files.opened() as directory, Opened(ensure_below(directory, VOLUMES, own)) as made:
                os.fchmod(made, 0o755)
        except OSError as error:
            raise Failure(reason(error), subject=str(self.directory / VOLUMES / own), hint=_HINT) from error
        return self.directory / VOLUMES / own

    @property
    def _generated(self) -> tuple[str, ...]:
        own = [each.name for each in self._spec.containers if each.termination is not None]
        return (*GENERATED, *map(termination_name, own))

    def check_files(self) -> None:
        """That what a container is about to have mounted is what was made here, and no link. Raises Failure."""
        try:
            with self.files.opened() as directory:
                for name in self._generated:
                    os.close(open_file(directory, name, os.O_RDONLY))
                os.close(open_directory(directory, NOTICE))
                for volume in self._spec.empty_dirs:
                    with Opened(open_directory(directory, VOLUMES)) as volumes:
                        os.close(open_directory(volumes, volume.name))
                self.tasks.check(directory)
        except OSError as error:
            raise Failure(reason(error), subject=str(self.directory / (error.filename or "")), hint=_HINT) from error

    def _write_names(self, attachments: Sequence[Attachment]) -> None:
        """resolv.conf and hosts, in place: the containers may have them mounted already."""
        spec, on_host = self._spec, self.netns is None
        dns = next((self._searching(made.dns) for made in attachments if made.dns.nameservers), None)
        names = resolver.resolv_conf(
            spec.dns_policy, spec.dns_config, dns, host_files.resolv_conf(on_host=on_host), host_network=on_host
        )
        hosts = resolver.hosts_file(
            spec.hostname,
            self.ips,
            spec.host_aliases,
            domain=self._domain(),
            host_text=host_files.hosts() if on_host else None,
        )
        host_files.write(self.files, "resolv.conf", names)
        host_files.write(self.files, "hosts", hosts)

    def _searching(self, dns: Dns) -> Dns:
        """A plain name is looked for in the pod's namespace first, then where the network says."""
        if self._node.names is None:
            return dns
        search = dns.search or tuple(filter(None, [dns.domain]))
        return replace(dns, search=(*self._node.names.zones.search(self._spec.namespace), *search))

    def _domain(self) -> str:
        """What follows the host name in the pod's full name, as in Kubernetes."""
        if self._node.names is None or not self._spec.subdomain:
            return ""
        return f"{self._spec.subdomain}.{self._node.names.zones.service(self._spec.namespace)}"

    def starting(self) -> AbstractContextManager[None]:
        """Its containers are made or started in the block."""
        return self._node.classes.starting(self._pod, self._spec)

    async def connect(self) -> None:
        """Attach the networks, write and publish the names. Raises NetworkFailure, InvalidConfig."""
        if self.netns is not None:
            await host_ports.check([mapping for request in self.requests for mapping in request.port_mappings])
            self.attachments = await self._node.cni.attach(self._pod, self.netns, self.requests)
            self._node.networks.attached(self._pod, self._spec.pod_class, self.netns, self.attachments)
            self._write_names(self.attachments)
        self._publish()

    def _publish(self) -> None:
        """A pod whose names cannot be published runs without them; one without an address has none."""
        if self._node.names is None or not self.addresses:
            return
        self._names = self._node.names.of(self._spec, self.addresses)
        try:
            self._node.names.publish(self._pod, self._names)
        except Failure as error:
            log.warning("could not publish the pod's names", code="dns.unpublished", pod=self._pod, error=error)

    async def release_network(self) -> list[Leak]:
        """The names, the addresses, the ports and the namespace; what could not be released. No process may be left."""
        return await _removed(("names", self._pod, self._withdraw), ("network", self._pod, self._disconnect))

    async def release_cgroup(self) -> list[Leak]:
        """And the mounts of volumes, once the containers are removed; what could not be."""
        volumes = ("volumes", self._pod, self.volumes.release)
        return await _removed(volumes, ("cgroup", self.cgroup.path, self._remove_cgroup))

    async def remove_files(self, *, over_disk: bool = False) -> list[Leak]:
        """Volumes and generated files; what could not be removed. The logs and the notice stay for [retention]. The
        files of a pod that is `over_disk` go before others', and only the ends of its logs stay.
        """
        step = ("files", str(self.directory), lambda: self._remove_files(over_disk=over_disk))
        return await _removed(step)

    async def _withdraw(self) -> None:
        """Before the addresses are another pod's."""
        if self._node.names is not None:
            self._names = None
            self._node.names.withdraw(self._pod)

    async def _disconnect(self) -> None:
        if self.netns is None:
            return
        await self._node.networks.detaching(self._pod)
        limit_s, self._release_limit_s = self._release_limit_s, None
        await self._node.cni.detach(self._pod, self.netns, limit_s=limit_s)
        await self._node.cni.close_namespace(self.netns)

    async def _remove_cgroup(self) -> None:
        if self.pids is not None:
            await self.pids.close()
        await self._node.classes.release(self._pod)

    async def _remove_files(self, *, over_disk: bool) -> None:
        self._remove_generated()
        removals = [Removal(self.files, name) for name in (VOLUMES, *([TASKS] if over_disk else ()))]
        for removal in removals:
            await self._node.removing.run(removal, urgent=over_disk)
        if over_disk:  # perhaps by its logs
            names = [container.name for container in self._spec.containers]
            await self._node.removing.run(Call(lambda: cut(self.files, names)), urgent=True)
        if failed := [removal.failures.text() for removal in removals if removal.failures.count]:
            raise Failure(f"cannot be removed: {'; '.join(failed)}", subject=str(self.directory))

    def _remove_generated(self) -> None:
        try:
            with self.files.opened() as directory:
                for name in self._generated:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=directory)
        except FileNotFoundError:  # it ends before it was set up, or its logs are removed already
            return


async def _removed(*steps: tuple[str, str, Callable[[], Awaitable[None]]]) -> list[Leak]:
    """Each step with what it removes and where; those that failed."""
    leaked: list[Leak] = []
    for what, where, step in steps:
        try:
            await step()
        except (ExecutorError, CgroupError, OSError) as error:
            leaked.append(Leak(what, where, str(error)))
    return leaked
