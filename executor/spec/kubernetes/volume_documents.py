"""The volumes of a Kubernetes v1 Pod as documents write them, every field with what happens to it here. Pure.

Source of the fields: k8s.io/api/core/v1 types.go, VolumeSource.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from executor.spec.kubernetes.container_documents import (
    KEY_MISSING,
    NAMES_OBJECT,
    ObjectFieldSelector,
    ResourceFieldSelector,
)
from executor.spec.kubernetes.document_types import Document, Quantity
from executor.spec.reading.marks import Mark, accepted, refused, supported

FileMode = Annotated[int, Meta(ge=0, le=0o777)]

_NO_TOKENS = "there is no API server that could issue a token: give the program a Secret that holds one"
_DRIVER = "a driver of the cluster must mount it, and there is none here: mount it on the node and use hostPath"
_OWN_DISK = "it is a directory on the disk of the Mesos sandbox"
_EMPTY = "nothing here can fill the volume: fill it in an init container"


def _mounted_by_others(what: str) -> Mark:
    return refused(f"{what}: {_DRIVER}", harmless=())


class EmptyDirSource(Document, frozen=True):
    medium: Annotated[
        Literal["", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"],
        supported(
            "Memory is a tmpfs: what it holds is the pod's memory. HugePages is a hugetlbfs of pages of the size that"
            " the containers ask for; the node must have such pages",
            only=("", "Memory", "HugePages", "HugePages-2Mi", "HugePages-1Gi"),
        ),
    ] = ""
    size_limit: Annotated[
        Quantity | None,
        supported("on disk a pod whose volume holds more is ended; a tmpfs has this size, else the task's mem"),
    ] = None


class HostPathSource(Document, frozen=True):
    path: Annotated[str, supported("absolute")]
    type: Annotated[
        Literal["", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice"],
        supported(
            "checked before the start, after the OrCreate types have made what is missing. Without a type nothing is"
            " checked, and a directory is made where nothing is, unless the role may only read there"
        ),
    ] = ""


class KeyToPath(Document, frozen=True):
    key: Annotated[str, supported(KEY_MISSING)]
    path: Annotated[str, supported("relative, without ..")]
    mode: Annotated[FileMode | None, supported("of the file; defaultMode without it")] = None


class ConfigMapSource(Document, frozen=True):
    name: Annotated[str, supported(NAMES_OBJECT)] = ""
    items: Annotated[tuple[KeyToPath, ...], supported("every key without them")] = ()
    default_mode: Annotated[FileMode | None, supported("0644 without it")] = None
    optional: Annotated[bool, supported()] = False


class SecretSource(Document, frozen=True):
    secret_name: Annotated[str, supported(NAMES_OBJECT)] = ""
    items: Annotated[tuple[KeyToPath, ...], supported("every key without them")] = ()
    default_mode: Annotated[FileMode | None, supported("0644 without it")] = None
    optional: Annotated[bool, supported()] = False


class DownwardFile(Document, frozen=True):
    path: Annotated[str, supported("relative, without ..")]
    field_ref: Annotated[
        ObjectFieldSelector | None,
        supported("metadata.name, .namespace, .uid, .labels, .annotations, .labels['x'], .annotations['x']"),
    ] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, supported("needs containerName")] = None
    mode: Annotated[FileMode | None, supported("of the file; defaultMode without it")] = None


class DownwardSource(Document, frozen=True):
    items: Annotated[tuple[DownwardFile, ...], supported()] = ()
    default_mode: Annotated[FileMode | None, supported("0644 without it")] = None


class ProjectedData(Document, frozen=True):
    """The data of a ConfigMap or a Secret in a projected volume."""

    name: Annotated[str, supported(NAMES_OBJECT)] = ""
    items: Annotated[tuple[KeyToPath, ...], supported("every key without them")] = ()
    optional: Annotated[bool, supported()] = False


class ProjectedDownward(Document, frozen=True):
    items: Annotated[tuple[DownwardFile, ...], supported()] = ()


class Projection(Document, frozen=True):
    config_map: Annotated[ProjectedData | None, supported()] = None
    secret: Annotated[ProjectedData | None, supported()] = None
    downward_api: Annotated[ProjectedDownward | None, supported()] = field(default=None, name="downwardAPI")
    service_account_token: Annotated[Any, refused(_NO_TOKENS, harmless=())] = None
    cluster_trust_bundle: Annotated[Any, refused("there is no API server that has one", harmless=())] = None
    pod_certificate: Annotated[Any, refused("there is no API server that could sign one", harmless=())] = None


class ProjectedSource(Document, frozen=True):
    sources: Annotated[tuple[Projection, ...], supported("no two may have the same path")] = ()
    default_mode: Annotated[FileMode | None, supported("0644 without it")] = None


class ClaimSource(Document, frozen=True):
    claim_name: Annotated[
        str,
        supported(
            "the id of a persistent volume among the task's resources, or a PersistentVolumeClaim that is sent along"
            " and whose volumeName is that id"
        ),
    ]
    read_only: Annotated[bool, supported()] = False


class TemplateRequests(Document, frozen=True):
    storage: Annotated[Quantity | None, supported("as the sizeLimit of an emptyDir")] = None


class TemplateResources(Document, frozen=True):
    requests: Annotated[TemplateRequests, supported()] = TemplateRequests()
    limits: Annotated[Any, accepted("the request is the limit")] = None


class TemplateSpec(Document, frozen=True):
    resources: Annotated[TemplateResources, supported()] = TemplateResources()
    access_modes: Annotated[Any, accepted("the pod alone has it", reported=False)] = None
    volume_mode: Annotated[Any, accepted("it is a directory", only=("Filesystem", ""), reported=False)] = None
    storage_class_name: Annotated[Any, accepted(_OWN_DISK)] = None
    volume_attributes_class_name: Annotated[Any, accepted(_OWN_DISK)] = None
    selector: Annotated[Any, accepted(_OWN_DISK)] = None
    volume_name: Annotated[Any, refused("the volume is new: name a persistent volume by a claim")] = None
    data_source: Annotated[Any, refused(_EMPTY)] = None
    data_source_ref: Annotated[Any, refused(_EMPTY)] = None


class ClaimTemplate(Document, frozen=True):
    spec: Annotated[TemplateSpec, supported()]
    metadata: Annotated[dict[str, Any], accepted("there is no claim", reported=False)] = field(default_factory=dict)


class EphemeralSource(Document, frozen=True):
    volume_claim_template: Annotated[ClaimTemplate, supported()]


class Volume(Document, frozen=True):
    name: Annotated[str, supported("a DNS label")]
    empty_dir: Annotated[EmptyDirSource | None, supported("removed with the pod; a volume without a source is one")] = (
        None
    )
    host_path: Annotated[HostPathSource | None, supported()] = None
    config_map: Annotated[ConfigMapSource | None, supported("read only, in memory, updated by a MESSAGE")] = None
    secret: Annotated[SecretSource | None, supported("read only, in memory, updated by a MESSAGE")] = None
    projected: Annotated[ProjectedSource | None, supported("read only, in memory")] = None
    downward_api: Annotated[DownwardSource | None, supported("read only, in memory")] = field(
        default=None, name="downwardAPI"
    )
    persistent_volume_claim: Annotated[
        ClaimSource | None, supported("a persistent volume of Mesos; it stays after the task")
    ] = None
    ephemeral: Annotated[
        EphemeralSource | None, supported("as an emptyDir of the requested size: no storage class makes it")
    ] = None
    image: Annotated[Any, refused("an image cannot be mounted as a volume", harmless=())] = None
    nfs: Annotated[Any, _mounted_by_others("NFS")] = None
    csi: Annotated[Any, _mounted_by_others("a CSI volume")] = None
    iscsi: Annotated[Any, _mounted_by_others("iSCSI")] = None
    fc: Annotated[Any, _mounted_by_others("Fibre Channel")] = None
    rbd: Annotated[Any, _mounted_by_others("Ceph RBD")] = None
    cephfs: Annotated[Any, _mounted_by_others("CephFS")] = None
    cinder: Annotated[Any, _mounted_by_others("Cinder")] = None
    glusterfs: Annotated[Any, _mounted_by_others("GlusterFS")] = None
    aws_elastic_block_store: Annotated[Any, _mounted_by_others("an EBS volume")] = None
    gce_persistent_disk: Annotated[Any, _mounted_by_others("a GCE disk")] = None
    azure_disk: Annotated[Any, _mounted_by_others("an Azure disk")] = None
    azure_file: Annotated[Any, _mounted_by_others("an Azure file share")] = None
    vsphere_volume: Annotated[Any, _mounted_by_others("a vSphere volume")] = None
    portworx_volume: Annotated[Any, _mounted_by_others("a Portworx volume")] = None
    quobyte: Annotated[Any, _mounted_by_others("Quobyte")] = None
    storageos: Annotated[Any, _mounted_by_others("StorageOS")] = None
    scale_io: Annotated[Any, _mounted_by_others("ScaleIO")] = field(default=None, name="scaleIO")
    photon_persistent_disk: Annotated[Any, _mounted_by_others("a Photon disk")] = None
    flocker: Annotated[Any, _mounted_by_others("Flocker")] = None
    flex_volume: Annotated[Any, _mounted_by_others("a FlexVolume")] = None
    git_repo: Annotated[Any, refused("clone it in an init container, or bake it into the image", harmless=())] = None
