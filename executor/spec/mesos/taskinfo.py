"""A Mesos TaskInfo as the agent hands it over, every field with what happens to it here. Pure.

Source of the fields: include/mesos/v1/mesos.proto of 1.11. The master lets a task with an executor of its own carry
no `command`; tasks of a group have one. `executor.spec.mesos.pod` turns tasks without `data` into a PodSpec.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from executor.spec.mesos.check_documents import CheckInfo, HealthCheck
from executor.spec.mesos.linux_documents import LinuxInfo, RLimitInfo, TaskLimits, TtyInfo
from executor.spec.mesos.message import Environment, HostPort, Message, Secret
from executor.spec.reading.marks import accepted, refused, supported

Nanoseconds = Annotated[int, Meta(ge=0, le=2**62)]


class Identifier(Message, frozen=True):
    value: Annotated[Annotated[str, Meta(min_length=1)], supported()]


class DurationInfo(Message, frozen=True):
    nanoseconds: Annotated[Nanoseconds, supported()]


class KillPolicy(Message, frozen=True):
    grace_period: Annotated[
        DurationInfo | None,
        supported("wins over a pod's. Without either: 3 s for a task without data, else [pods] termination_grace_s"),
    ] = None


class Label(Message, frozen=True):
    key: Annotated[str, supported()]
    value: Annotated[str, supported()] = ""


class Labels(Message, frozen=True):
    labels: Annotated[tuple[Label, ...], supported()] = ()


class Uri(Message, frozen=True):
    value: Annotated[
        Annotated[str, Meta(min_length=1)],
        supported("http, https, file, or an absolute path of the node, which is a hostPath to the policy"),
    ]
    executable: Annotated[bool, supported("mode 0755, and it is not unpacked")] = False
    extract: Annotated[bool, supported("by name: tar, zip, gz; tar with gz, bz2 or xz")] = True
    cache: Annotated[Any, accepted("it is fetched for each launch")] = None
    output_file: Annotated[str, supported("a path in the sandbox")] = ""


class CommandInfo(Message, frozen=True):
    value: Annotated[
        str | None, supported("with shell a line for /bin/sh -c, else the program; without it the image's ENTRYPOINT")
    ] = None
    shell: Annotated[bool, supported()] = True
    arguments: Annotated[tuple[str, ...], supported("with a value the first is argv[0], which becomes the value")] = ()
    environment: Annotated[Environment, supported()] = Environment()
    user: Annotated[str, supported("of the image's /etc/passwd, or a number; `user:group` too")] = ""
    uris: Annotated[tuple[Uri, ...], supported("fetched into the task's sandbox before it starts")] = ()


class DockerImage(Message, frozen=True):
    name: Annotated[str, supported("pulled if it is not on the node")]
    credential: Annotated[Any, refused("Mesos itself gave it up; use config")] = None
    config: Annotated[Secret | None, supported("credentials of registries, as docker's config.json has them")] = None


class Image(Message, frozen=True):
    type: Annotated[Literal["DOCKER"], supported("DOCKER", only=("DOCKER",))]
    docker: Annotated[DockerImage | None, supported()] = None
    appc: Annotated[Any, refused("containerd runs OCI and Docker images only", harmless=())] = None
    cached: Annotated[bool, supported("false asks the registry at each launch")] = True


class MesosInfo(Message, frozen=True):
    image: Annotated[Image | None, supported()] = None


class PortMapping(Message, frozen=True):
    host_port: Annotated[HostPort, supported("must be one of the task's ports")]
    container_port: Annotated[HostPort, supported()]
    protocol: Annotated[str, supported("tcp or udp")] = "tcp"


class DockerInfo(Message, frozen=True):
    image: Annotated[str, supported("pulled if it is not on the node")]
    network: Annotated[
        Literal["HOST", "BRIDGE", "USER"],
        supported("BRIDGE is the node's default network", only=("HOST", "BRIDGE", "USER")),
    ] = "HOST"
    port_mappings: Annotated[tuple[PortMapping, ...], supported()] = ()
    privileged: Annotated[
        Any, refused("a pod in data has securityContext.privileged, for roles whose policy allows it")
    ] = None
    parameters: Annotated[Any, refused("there is no docker command line here")] = None
    force_pull_image: Annotated[bool, supported("asks the registry at each launch")] = False
    volume_driver: Annotated[Any, refused()] = None


class IpAddress(Message, frozen=True, omit_defaults=True):
    protocol: Annotated[Literal["IPv4", "IPv6"] | None, supported("what a network gives is not changed by it")] = None
    ip_address: Annotated[str, supported("is demanded; refused if the network's IPAM takes no addresses")] = ""


class NetworkInfo(Message, frozen=True):
    """Handed to the CNI plugins as it is, so what it may hold is theirs to say."""

    name: Annotated[str, supported("a CNI network; the node's default without it")] = ""
    port_mappings: Annotated[tuple[PortMapping, ...], supported()] = ()
    labels: Annotated[Any, supported("handed to the CNI plugins")] = None
    groups: Annotated[Any, supported("handed to the CNI plugins")] = None
    ip_addresses: Annotated[tuple[IpAddress, ...], supported("handed to the CNI plugins, too")] = ()


class MountPropagation(Message, frozen=True):
    mode: Annotated[
        Literal["UNKNOWN", "HOST_TO_CONTAINER", "BIDIRECTIONAL"],
        supported(only=("UNKNOWN", "HOST_TO_CONTAINER"), note="BIDIRECTIONAL needs a privileged container"),
    ] = "UNKNOWN"


class HostPathSource(Message, frozen=True):
    path: Annotated[str, supported("absolute")]
    mount_propagation: Annotated[MountPropagation, supported()] = MountPropagation()


class SandboxPath(Message, frozen=True):
    type: Annotated[
        Literal["SELF", "PARENT"], supported("SELF is the task's sandbox; PARENT is shared by the tasks of a group")
    ]
    path: Annotated[
        str,
        supported("in the sandbox; with PARENT the name of a directory that goes with the pod"),
    ]


class VolumeSource(Message, frozen=True):
    type: Annotated[
        Literal["HOST_PATH", "SANDBOX_PATH", "SECRET"], supported(only=("HOST_PATH", "SANDBOX_PATH", "SECRET"))
    ]
    host_path: Annotated[HostPathSource | None, supported()] = None
    sandbox_path: Annotated[SandboxPath | None, supported()] = None
    secret: Annotated[Secret | None, supported("a file in memory at container_path, read only")] = None
    docker_volume: Annotated[Any, refused(harmless=())] = None
    csi_volume: Annotated[Any, refused(harmless=())] = None


class Volume(Message, frozen=True):
    container_path: Annotated[str, supported("absolute, or relative to the task's sandbox")]
    mode: Annotated[Literal["RW", "RO"], supported()]
    host_path: Annotated[str | None, supported("absolute")] = None
    source: Annotated[VolumeSource | None, supported()] = None
    image: Annotated[Any, refused(harmless=())] = None


class ContainerInfo(Message, frozen=True):
    type: Annotated[Literal["MESOS", "DOCKER"], supported()]
    mesos: Annotated[
        MesosInfo | None, supported("without an image: [pods] default_image, else the node's own file system")
    ] = None
    docker: Annotated[DockerInfo | None, supported()] = None
    volumes: Annotated[tuple[Volume, ...], supported()] = ()
    network_infos: Annotated[tuple[NetworkInfo, ...], supported("of a task with a pod in its data, too")] = ()
    hostname: Annotated[str, supported("a DNS label")] = ""
    linux_info: Annotated[LinuxInfo | None, supported()] = None
    rlimit_info: Annotated[RLimitInfo, supported()] = RLimitInfo()
    tty_info: Annotated[TtyInfo | None, supported("a terminal without input: its output is stdout's log")] = None


class TaskInfo(Message, frozen=True):
    task_id: Annotated[Identifier, supported()]
    resources: Annotated[
        tuple[dict[str, Any], ...],
        supported(
            "cpus, mem, disk, ports, and persistent volumes for the pod's claims; no gpus, no disk with a source of its"
            " own and no volume on it; others are only counted"
        ),
    ]
    name: Annotated[str, supported("names the pod and its container")] = ""
    data: Annotated[str, supported("a Kubernetes v1 Pod as JSON or YAML, gzip allowed")] = ""
    command: Annotated[CommandInfo | None, supported("of a task without data")] = None
    container: Annotated[ContainerInfo | None, supported("beside data: type and network_infos only")] = None
    labels: Annotated[Labels, supported("revocation selects by them")] = Labels()
    kill_policy: Annotated[KillPolicy, supported()] = KillPolicy()
    max_completion_time: Annotated[
        DurationInfo | None,
        supported(
            "of a pod in data: from its launch, and its end has a grace; else from the start of the container, which"
            " is killed then"
        ),
    ] = None
    health_check: Annotated[HealthCheck | None, supported("of a task without data")] = None
    check: Annotated[CheckInfo | None, supported("of a task without data; reported in check_status")] = None
    limits: Annotated[TaskLimits | None, supported("of a task without data")] = None
    agent_id: Annotated[Any, accepted("it is this agent", reported=False)] = None
    executor: Annotated[Any, accepted("it is this executor", reported=False)] = None
    discovery: Annotated[
        Any, supported("its name is the task's in the names of pods and tasks; others read the rest from the master")
    ] = None
