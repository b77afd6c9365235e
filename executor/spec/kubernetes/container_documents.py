"""A container of a Kubernetes v1 Pod as documents write it, every field with what happens to it here. Pure."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, field

from executor.spec.kubernetes.document_types import Document, Id, PortNumber, Protocol, Quantity, Text
from executor.spec.kubernetes.probe_documents import EndingProbe, Lifecycle, ReadinessProbe
from executor.spec.reading.marks import FAMILY, accepted, refused, supported

CONTAINERS_MAX = 100
"""The number of containers of one pod: containers of a Pod, or tasks of a LAUNCH_GROUP."""
OTHER_SOURCES = "a pod describes itself completely here: no claims of devices"
ALLOWED = "where the role's policy has the level privileged"
NAMES_OBJECT = "sent along in TaskInfo.data"
HUGE = (
    "bytes, whole pages, the limit equal to the request; the task's resources must have as many MiB of this name. They"
    " are limited where the node's cgroups have hugetlb"
)
KEY_MISSING = "must be there, unless optional"


class Quantities(Document, frozen=True):
    UNKNOWN: ClassVar[str] = "is a resource that no task has here"

    cpu: Annotated[Quantity | None, supported("cores, as in 250m or 2")] = None
    memory: Annotated[Quantity | None, supported("bytes, as in 64Mi; a limit below 4Mi is taken as 4Mi")] = None
    ephemeral_storage: Annotated[
        Quantity | None,
        supported(
            "bytes on the node's disk, as in 2Gi. A container's root file system and logs are held to its limit, the"
            " pod with its emptyDir volumes to their sum; requests may not sum to more than the task's disk, if it has"
            " one"
        ),
    ] = field(default=None, name="ephemeral-storage")
    huge_2mi: Annotated[Quantity | None, supported(HUGE)] = field(default=None, name="hugepages-2Mi")
    huge_1gi: Annotated[Quantity | None, supported(HUGE)] = field(default=None, name="hugepages-1Gi")
    extended: Annotated[
        dict[str, Quantity],
        accepted(
            "a whole number; the task's resources must have as many of this name. They are counted only: no device"
            " comes with them"
        ),
    ] = field(default_factory=dict, name=FAMILY)


class ResourceRequirements(Document, frozen=True):
    limits: Annotated[Quantities, supported("memory limits may not sum to more than the task's mem")] = Quantities()
    requests: Annotated[Quantities, supported("may not sum to more than the task's resources; cpu becomes shares")] = (
        Quantities()
    )
    claims: Annotated[Any, refused(OTHER_SOURCES)] = None


class ObjectFieldSelector(Document, frozen=True):
    field_path: Annotated[
        str,
        supported(
            "metadata.name, .namespace, .uid, .labels['x'], .annotations['x']; spec.nodeName, spec.serviceAccountName; "
            "status.podIP(s), status.hostIP(s); a pod without an address that asks for podIP(s) is not started"
        ),
    ]
    api_version: Annotated[Any, accepted("there is one version", only=("v1", ""), reported=False)] = None


class ResourceFieldSelector(Document, frozen=True):
    resource: Annotated[
        str,
        supported("limits. and requests. of cpu, memory, ephemeral-storage; without one of its own, the task's"),
    ]
    container_name: Annotated[str, supported()] = ""
    divisor: Annotated[Quantity, supported()] = "1"


class KeySelector(Document, frozen=True):
    key: Annotated[str, supported(KEY_MISSING)]
    name: Annotated[str, supported(NAMES_OBJECT)] = ""
    optional: Annotated[bool, supported("the variable is left out where nothing is there")] = False


class EnvVarSource(Document, frozen=True):
    field_ref: Annotated[ObjectFieldSelector | None, supported()] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, supported()] = None
    config_map_key_ref: Annotated[KeySelector | None, supported()] = None
    secret_key_ref: Annotated[KeySelector | None, supported()] = None
    file_key_ref: Annotated[Any, refused()] = None


class EnvVar(Document, frozen=True):
    name: Annotated[str, supported()]
    value: Annotated[str, supported("$(NAME) means an earlier variable, $$ is a $")] = ""
    value_from: Annotated[EnvVarSource | None, supported()] = None


class EnvFromObject(Document, frozen=True):
    name: Annotated[str, supported(NAMES_OBJECT)] = ""
    optional: Annotated[bool, supported()] = False


class EnvFromSource(Document, frozen=True):
    prefix: Annotated[str, supported("before each name")] = ""
    config_map_ref: Annotated[EnvFromObject | None, supported("its data; no binaryData")] = None
    secret_ref: Annotated[EnvFromObject | None, supported()] = None


class ContainerPort(Document, frozen=True):
    container_port: Annotated[PortNumber, supported()]
    host_port: Annotated[
        Annotated[int, Meta(ge=0, le=65535)],
        supported("must be one of the task's ports; nothing on the node may listen on it"),
    ] = 0
    protocol: Annotated[Protocol, supported("TCP, UDP or SCTP")] = "TCP"
    name: Annotated[str, supported("for probes")] = ""
    host_ip: Annotated[str, supported("an address of the node")] = field(default="", name="hostIP")


class VolumeMount(Document, frozen=True):
    name: Annotated[str, supported()]
    mount_path: Annotated[str, supported("from / on; not / itself and not below /proc")]
    read_only: Annotated[bool, supported()] = False
    sub_path: Annotated[str, supported("a part of the volume; links in it never lead out of the volume")] = ""
    sub_path_expr: Annotated[str, supported("as subPath, with the container's $(NAME) filled in")] = ""
    mount_propagation: Annotated[
        Literal["None", "HostToContainer", "Bidirectional", ""],
        supported(
            "Bidirectional needs a privileged container and no subPath",
            only=("None", "HostToContainer", "Bidirectional", ""),
        ),
    ] = ""
    recursive_read_only: Annotated[
        Literal["Disabled", "IfPossible", "Enabled", ""],
        supported("needs Linux 5.12", only=("Disabled", "IfPossible", "Enabled", "")),
    ] = ""


class SeccompProfile(Document, frozen=True):
    type: Annotated[
        Literal["RuntimeDefault", "Unconfined", "Localhost"],
        supported("RuntimeDefault is the executor's own; Localhost is a file of the node"),
    ]
    localhost_profile: Annotated[
        str, supported("below [pods] seccomp_dir; the profile as linux.seccomp of the OCI runtime-spec")
    ] = ""


class AppArmorProfile(Document, frozen=True):
    type: Annotated[
        Literal["Localhost", "Unconfined", "RuntimeDefault"],
        supported(
            "RuntimeDefault is [pods] app_armor_profile; it has no effect on a node without AppArmor, and is refused on"
            " one that has AppArmor and no such profile"
        ),
    ]
    localhost_profile: Annotated[
        str, supported("that the kernel has loaded; a node without it, or without AppArmor, does not start the pod")
    ] = ""


class Capabilities(Document, frozen=True):
    add: Annotated[Text, supported("without CAP_; ALL for every one")] = ()
    drop: Annotated[Text, supported("as in add")] = ()


class SeLinuxOptions(Document, frozen=True):
    user: Annotated[str, supported("else system_u")] = ""
    role: Annotated[str, supported("else system_r")] = ""
    type: Annotated[str, supported("else container_t")] = ""
    level: Annotated[str, supported("else s0")] = ""


class Identity(Document, frozen=True):
    """What a security context says for a pod and for a container alike."""

    run_as_user: Annotated[Id | None, supported("its group and groups are those of the image's files")] = None
    run_as_group: Annotated[Id | None, supported("else that of the image's /etc/passwd, or 0")] = None
    run_as_non_root: Annotated[bool | None, supported("the container does not start as user 0")] = None
    seccomp_profile: Annotated[SeccompProfile | None, supported()] = None
    se_linux_options: Annotated[SeLinuxOptions | None, supported("of the processes, on a node that has SELinux")] = None
    app_armor_profile: Annotated[AppArmorProfile | None, supported()] = None
    windows_options: Annotated[dict[str, Any], accepted("this is Linux")] = field(default_factory=dict)


class SecurityContext(Identity, frozen=True):
    read_only_root_filesystem: Annotated[bool, supported()] = False
    allow_privilege_escalation: Annotated[bool, supported("false sets no_new_privs")] = True
    capabilities: Annotated[Capabilities, supported()] = Capabilities()
    privileged: Annotated[bool, supported(f"every capability and device; {ALLOWED}")] = False
    proc_mount: Annotated[
        Literal["Default", "Unmasked", ""], supported(f"Unmasked hides and protects nothing in /proc; {ALLOWED}")
    ] = ""


class ResizePolicy(Document, frozen=True):
    resource_name: Annotated[Literal["cpu", "memory"], supported()]
    restart_policy: Annotated[
        Literal["NotRequired", "RestartContainer"], supported("RestartContainer refuses a resize")
    ]


class ExitCodes(Document, frozen=True):
    operator: Annotated[Literal["In", "NotIn"], supported()]
    values: Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], supported("of the exit codes", most=255)] = ()


class ContainerRestartRule(Document, frozen=True):
    action: Annotated[Literal["Restart"], supported("Restart, with any restartPolicy of the container")]
    exit_codes: Annotated[ExitCodes, supported()]


class Container(Document, frozen=True):
    name: Annotated[str, supported("a DNS label")]
    image: Annotated[str, supported("its name; pulled if it is not on the node, see imagePullPolicy")] = ""
    command: Annotated[Text, supported("replaces ENTRYPOINT, and CMD with it")] = ()
    args: Annotated[Text, supported("replaces CMD")] = ()
    working_dir: Annotated[str, supported("absolute")] = ""
    ports: Annotated[tuple[ContainerPort, ...], supported()] = ()
    env: Annotated[tuple[EnvVar, ...], supported()] = ()
    env_from: Annotated[tuple[EnvFromSource, ...], supported("before env, whose variables win")] = ()
    resources: Annotated[ResourceRequirements, supported()] = ResourceRequirements()
    volume_mounts: Annotated[tuple[VolumeMount, ...], supported()] = ()
    security_context: Annotated[SecurityContext, supported()] = SecurityContext()
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never", ""],
        supported("Always for the tag latest or none, else IfNotPresent; Always asks the registry at each launch"),
    ] = ""
    volume_devices: Annotated[Any, refused()] = None
    liveness_probe: Annotated[
        EndingProbe | None, supported("enough failures in a row end the container, until its pod ends")
    ] = None
    readiness_probe: Annotated[ReadinessProbe | None, supported("`ps`, and healthy in the statuses")] = None
    startup_probe: Annotated[EndingProbe | None, supported("the other two wait until it has passed once")] = None
    lifecycle: Annotated[Lifecycle, supported()] = Lifecycle()
    restart_policy: Annotated[
        Literal["Always", "OnFailure", "Never"] | None, supported("the container's own; else that of the pod")
    ] = None
    restart_policy_rules: Annotated[
        tuple[ContainerRestartRule, ...],
        supported("need the container's restartPolicy; one that fits counts", most=20),
    ] = ()
    resize_policy: Annotated[
        tuple[ResizePolicy, ...], supported("of a resize by a MESSAGE; NotRequired without it")
    ] = ()
    termination_message_path: Annotated[str, supported("its last 4096 bytes are in the status of the end")] = ""
    termination_message_policy: Annotated[
        Literal["File", "FallbackToLogsOnError", ""], supported("the last 2048 bytes of stderr, or else of stdout")
    ] = ""
    stdin: Annotated[bool, accepted("with tty it has no end and no input; refused without")] = False
    stdin_once: Annotated[bool, accepted("there is no attach")] = False
    tty: Annotated[bool, supported("the terminal's output is stdout's log; there is no input")] = False


class InitContainer(Container, frozen=True):
    restart_policy: Annotated[
        Literal["Always", "OnFailure", "Never"] | None,
        supported("Always makes it a sidecar, which runs beside the containers after it and is always restarted"),
    ] = None
