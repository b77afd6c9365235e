"""The documents that come with a pod, as documents write them, every field with what happens to it. Pure.

Source of the fields: k8s.io/api/core/v1 types.go (ConfigMap, Secret, PersistentVolumeClaim).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import field

from executor.spec.kubernetes.document_types import Document, Quantity
from executor.spec.reading.marks import accepted, supported

_SERVER = "bookkeeping of an API server"
_KEYS_MAX = 5000


class CompanionMeta(Document, frozen=True):
    name: Annotated[str, supported("a DNS name, by which the pod names it")]
    namespace: Annotated[str, supported("the pod's, or none")] = ""
    labels: Annotated[Any, accepted("nothing selects by them")] = None
    annotations: Annotated[Any, accepted("nothing reads them")] = None
    uid: Annotated[Any, accepted(_SERVER)] = None
    generate_name: Annotated[Any, accepted(_SERVER)] = None
    creation_timestamp: Annotated[Any, accepted(_SERVER)] = None
    deletion_timestamp: Annotated[Any, accepted(_SERVER)] = None
    deletion_grace_period_seconds: Annotated[Any, accepted(_SERVER)] = None
    resource_version: Annotated[Any, accepted(_SERVER)] = None
    generation: Annotated[Any, accepted(_SERVER)] = None
    self_link: Annotated[Any, accepted(_SERVER)] = None
    owner_references: Annotated[Any, accepted(_SERVER)] = None
    finalizers: Annotated[Any, accepted(_SERVER)] = None
    managed_fields: Annotated[Any, accepted(_SERVER)] = None


class ConfigMap(Document, frozen=True):
    api_version: Annotated[Literal["v1"], supported("v1")]
    kind: Annotated[Literal["ConfigMap"], supported("ConfigMap")]
    metadata: Annotated[CompanionMeta, supported()]
    data: Annotated[dict[str, str], supported("keys are letters, digits, -, _ and .", most=_KEYS_MAX)] = field(
        default_factory=dict
    )
    binary_data: Annotated[dict[str, str], supported("base64; for volumes only", most=_KEYS_MAX)] = field(
        default_factory=dict
    )
    immutable: Annotated[bool, supported("true refuses updates")] = False


class Secret(Document, frozen=True):
    api_version: Annotated[Literal["v1"], supported("v1")]
    kind: Annotated[Literal["Secret"], supported("Secret")]
    metadata: Annotated[CompanionMeta, supported()]
    data: Annotated[dict[str, str], supported("base64", most=_KEYS_MAX)] = field(default_factory=dict)
    string_data: Annotated[dict[str, str], supported("wins over data", most=_KEYS_MAX)] = field(default_factory=dict)
    immutable: Annotated[bool, supported("true refuses updates")] = False
    type: Annotated[str, supported("kubernetes.io/dockerconfigjson and dockercfg hold credentials of registries")] = (
        "Opaque"
    )


class ClaimRequests(Document, frozen=True):
    storage: Annotated[Quantity | None, supported("the Mesos volume has at least as much")] = None


class ClaimResources(Document, frozen=True):
    requests: Annotated[ClaimRequests, supported()] = ClaimRequests()
    limits: Annotated[Any, accepted("a Mesos volume has its size")] = None


class ClaimSpec(Document, frozen=True):
    volume_name: Annotated[str, supported("the id of the Mesos volume; the claim's name without it")] = ""
    resources: Annotated[ClaimResources, supported()] = ClaimResources()
    access_modes: Annotated[Any, accepted("the Mesos volume says whether it can be written to")] = None
    volume_mode: Annotated[Any, accepted("Mesos volumes are file systems", only=("Filesystem", ""))] = None
    storage_class_name: Annotated[Any, accepted("the framework has chosen the volume")] = None
    selector: Annotated[Any, accepted("the framework has chosen the volume")] = None
    data_source: Annotated[Any, accepted("the framework has filled the volume")] = None
    data_source_ref: Annotated[Any, accepted("the framework has filled the volume")] = None
    volume_attributes_class_name: Annotated[Any, accepted("the framework has chosen the volume")] = None


class PersistentVolumeClaim(Document, frozen=True):
    api_version: Annotated[Literal["v1"], supported("v1")]
    kind: Annotated[Literal["PersistentVolumeClaim"], supported("PersistentVolumeClaim")]
    metadata: Annotated[CompanionMeta, supported()]
    spec: Annotated[ClaimSpec, supported()] = ClaimSpec()
    status: Annotated[Any, accepted(_SERVER)] = None
