"""A Kubernetes v1 Pod as documents write it, every field with what happens to it here. Pure.

Source of the fields: k8s.io/api/core/v1 types.go. A field that is missing here is refused like one that is marked so;
it is listed so that the table of supported fields can say it. `executor.spec.kubernetes.pod` turns a Pod into a
PodSpec.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from executor.spec.kubernetes.container_documents import (
    ALLOWED,
    CONTAINERS_MAX,
    OTHER_SOURCES,
    Container,
    Identity,
    InitContainer,
)
from executor.spec.kubernetes.document_types import Document, Id, Quantity, Text
from executor.spec.kubernetes.placement_documents import (
    PLACED,
    Affinity,
    OwnerReference,
    ReadinessGate,
    SchedulingGate,
    Toleration,
    TopologySpread,
)
from executor.spec.kubernetes.volume_documents import Volume
from executor.spec.reading.marks import accepted, refused, supported

_SERVER = "bookkeeping of an API server"
_ANNOTATIONS = (
    "mesos-pod-executor/networks names CNI networks, mesos-pod-executor/service the services that the pod stands"
    " behind, mesos-pod-executor/checkpoint (VOLUME/FILE) where its work is saved, traceparent the"
    " span of which its launch is a part; kubernetes.io/ingress-bandwidth and"
    " egress-bandwidth limit the first network"
)
_NO_TOKENS = "no API server issues tokens: a container finds none"
_TASK_PAYS = "the Mesos task's resources are the pod's"


class LocalReference(Document, frozen=True):
    """An object of the pod's own namespace."""

    name: Annotated[str, supported()] = ""


class Sysctl(Document, frozen=True):
    name: Annotated[str, supported("with dots or slashes")]
    value: Annotated[str, supported()]


class PodSecurityContext(Identity, frozen=True):
    supplemental_groups: Annotated[tuple[Id, ...], supported("beside those of the image's /etc/group")] = ()
    supplemental_groups_policy: Annotated[Any, refused(harmless=("Merge", ""))] = None
    fs_group: Annotated[Id | None, supported("of the pod's own volumes and of each process; not of hostPath")] = None
    fs_group_change_policy: Annotated[
        Literal["Always", "OnRootMismatch", ""],
        supported("of claims; other volumes are new", only=("Always", "OnRootMismatch", "")),
    ] = "Always"
    se_linux_change_policy: Annotated[Any, refused()] = None
    sysctls: Annotated[
        tuple[Sysctl, ...], supported("of the pod's own namespaces; those that the role's policy allows")
    ] = ()


class HostAlias(Document, frozen=True):
    ip: Annotated[str, supported()]
    hostnames: Annotated[Text, supported()] = ()


class DnsOption(Document, frozen=True):
    name: Annotated[str, supported()]
    value: Annotated[str | None, supported()] = None


class DnsConfig(Document, frozen=True):
    nameservers: Annotated[Text, supported()] = ()
    searches: Annotated[Text, supported()] = ()
    options: Annotated[tuple[DnsOption, ...], supported()] = ()


class PodSpec(Document, frozen=True):
    containers: Annotated[tuple[Container, ...], supported("at most 100", most=CONTAINERS_MAX)]
    restart_policy: Annotated[Literal["Always", "OnFailure", "Never"], supported()] = "Always"
    termination_grace_period_seconds: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)] | None,
        supported("the task's kill_policy wins; [pods] termination_grace_s without either"),
    ] = None
    active_deadline_seconds: Annotated[Annotated[int, Meta(ge=1, le=2**31)] | None, supported()] = None
    priority: Annotated[
        Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)], supported("the lowest goes first when revocation chooses")
    ] = 0
    host_network: Annotated[bool, supported("every declared port must then be one of the task's")] = False
    hostname: Annotated[str, supported("a DNS label; the pod's name without it")] = ""
    host_aliases: Annotated[tuple[HostAlias, ...], supported()] = ()
    dns_policy: Annotated[Literal["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"], supported()] = (
        "ClusterFirst"
    )
    dns_config: Annotated[DnsConfig, supported()] = DnsConfig()
    security_context: Annotated[PodSecurityContext, supported()] = PodSecurityContext()
    volumes: Annotated[tuple[Volume, ...], supported()] = ()
    init_containers: Annotated[
        tuple[InitContainer, ...],
        supported(
            "run one after the other before the containers. The fields are those of containers[]; one that is"
            " not a sidecar has no probes, no postStart and no preStop. At most 100",
            most=CONTAINERS_MAX,
        ),
    ] = ()
    ephemeral_containers: Annotated[Any, refused()] = None
    subdomain: Annotated[str, supported("a DNS label; see `mesos-pod-executor dns`")] = ""
    host_pid: Annotated[bool, supported(ALLOWED)] = field(default=False, name="hostPID")
    host_ipc: Annotated[bool, supported(ALLOWED)] = field(default=False, name="hostIPC")
    share_process_namespace: Annotated[
        bool, supported("the containers see each other's processes; process 1 is the pod's own, and reaps orphans")
    ] = False
    host_users: Annotated[Any, refused(harmless=(True,))] = None
    hostname_override: Annotated[Any, refused()] = None
    set_hostname_as_fqdn: Annotated[bool, accepted("the host name is the short one")] = field(
        default=False, name="setHostnameAsFQDN"
    )
    image_pull_secrets: Annotated[
        tuple[LocalReference, ...], supported("Secrets that come with the pod; one that does not is reported")
    ] = ()
    service_account_name: Annotated[str, accepted(_NO_TOKENS)] = ""
    service_account: Annotated[str, accepted(_NO_TOKENS)] = ""
    automount_service_account_token: Annotated[bool, accepted(_NO_TOKENS)] = False
    runtime_class_name: Annotated[
        str,
        accepted(
            "every container runs with the runtime of the node: one of its names, [pods] runtime_classes",
            reported=False,
        ),
    ] = ""
    readiness_gates: Annotated[tuple[ReadinessGate, ...], accepted("only an API server keeps such conditions")] = ()
    scheduling_gates: Annotated[tuple[SchedulingGate, ...], accepted(PLACED)] = ()
    resource_claims: Annotated[Any, refused(OTHER_SOURCES)] = None
    resources: Annotated[Any, refused(_TASK_PAYS)] = None
    overhead: Annotated[dict[str, Quantity], accepted(_TASK_PAYS)] = field(default_factory=dict)
    os: Annotated[dict[str, Any], accepted("this is Linux", only=({"name": "linux"}, {}), reported=False)] = field(
        default_factory=dict
    )
    enable_service_links: Annotated[bool, accepted("there are no services here")] = False
    node_name: Annotated[str, accepted(PLACED)] = ""
    node_selector: Annotated[dict[str, str], accepted(PLACED)] = field(default_factory=dict)
    affinity: Annotated[Affinity | None, accepted(PLACED)] = None
    tolerations: Annotated[tuple[Toleration, ...], accepted(PLACED)] = ()
    topology_spread_constraints: Annotated[tuple[TopologySpread, ...], accepted(PLACED)] = ()
    scheduler_name: Annotated[str, accepted(PLACED)] = ""
    priority_class_name: Annotated[str, accepted("an API server turns it into priority")] = ""
    preemption_policy: Annotated[Literal["PreemptLowerPriority", "Never"] | None, accepted(PLACED)] = None


class ObjectMeta(Document, frozen=True):
    name: Annotated[str, supported("the task's name without it")] = ""
    namespace: Annotated[str, supported("must be one that the task's role may use")] = "default"
    uid: Annotated[str, supported("made from the task's id without it")] = ""
    labels: Annotated[dict[str, str], supported("added to the task's labels; revocation selects by them")] = field(
        default_factory=dict
    )
    annotations: Annotated[dict[str, str], supported(_ANNOTATIONS)] = field(default_factory=dict)
    generate_name: Annotated[str, accepted(_SERVER)] = ""
    creation_timestamp: Annotated[str, accepted(_SERVER)] = ""
    deletion_timestamp: Annotated[str, accepted(_SERVER)] = ""
    deletion_grace_period_seconds: Annotated[int | None, accepted(_SERVER)] = None
    resource_version: Annotated[str, accepted(_SERVER)] = ""
    generation: Annotated[int | None, accepted(_SERVER)] = None
    self_link: Annotated[str, accepted(_SERVER)] = ""
    owner_references: Annotated[tuple[OwnerReference, ...], accepted(_SERVER)] = ()
    finalizers: Annotated[Text, accepted(_SERVER)] = ()
    managed_fields: Annotated[tuple[dict[str, Any], ...], accepted(_SERVER)] = ()


class Pod(Document, frozen=True):
    api_version: Annotated[Literal["v1"], supported("v1")]
    kind: Annotated[Literal["Pod"], supported("Pod")]
    spec: Annotated[PodSpec, supported()]
    metadata: Annotated[ObjectMeta, supported()] = ObjectMeta()
    status: Annotated[dict[str, Any], accepted(_SERVER)] = field(default_factory=dict)
