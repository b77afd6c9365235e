"""What a Kubernetes v1 Pod says of the nodes that it wants, as documents write it. Pure.

A framework places pods here, so none of it has an effect; its form is held to Kubernetes' rules too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from executor.spec.kubernetes.document_types import Document
from executor.spec.reading.marks import accepted

PLACED = "placement is the framework's"
_PART = accepted(PLACED)
Effect = Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"]
NodeOperator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
Texts = tuple[str, ...]
Weight = Annotated[int, Meta(ge=1, le=100)]


class Toleration(Document, frozen=True):
    key: Annotated[str, _PART] = ""
    operator: Annotated[Literal["", "Equal", "Exists", "Lt", "Gt"], _PART] = ""
    value: Annotated[str, _PART] = ""
    effect: Annotated[Effect, _PART] = ""
    toleration_seconds: Annotated[int | None, _PART] = None


class Requirement(Document, frozen=True):
    key: Annotated[str, _PART]
    operator: Annotated[NodeOperator, _PART]
    values: Annotated[Texts, _PART] = ()


class NodeTerm(Document, frozen=True):
    match_expressions: Annotated[tuple[Requirement, ...], _PART] = ()
    match_fields: Annotated[tuple[Requirement, ...], _PART] = ()


class NodeSelector(Document, frozen=True):
    node_selector_terms: Annotated[tuple[NodeTerm, ...], _PART]


class PreferredNode(Document, frozen=True):
    weight: Annotated[Weight, _PART]
    preference: Annotated[NodeTerm, _PART]


class NodeAffinity(Document, frozen=True):
    required: Annotated[NodeSelector | None, _PART] = field(
        default=None, name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: Annotated[tuple[PreferredNode, ...], _PART] = field(
        default=(), name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class LabelSelector(Document, frozen=True):
    match_labels: Annotated[dict[str, str], _PART] = field(default_factory=dict)
    match_expressions: Annotated[tuple[Requirement, ...], _PART] = ()


class PodTerm(Document, frozen=True):
    topology_key: Annotated[str, _PART]
    label_selector: Annotated[LabelSelector | None, _PART] = None
    namespaces: Annotated[Texts, _PART] = ()
    namespace_selector: Annotated[LabelSelector | None, _PART] = None
    match_label_keys: Annotated[Texts, _PART] = ()
    mismatch_label_keys: Annotated[Texts, _PART] = ()


class PreferredPod(Document, frozen=True):
    weight: Annotated[Weight, _PART]
    pod_affinity_term: Annotated[PodTerm, _PART]


class PodAffinity(Document, frozen=True):
    required: Annotated[tuple[PodTerm, ...], _PART] = field(
        default=(), name="requiredDuringSchedulingIgnoredDuringExecution"
    )
    preferred: Annotated[tuple[PreferredPod, ...], _PART] = field(
        default=(), name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Document, frozen=True):
    node_affinity: Annotated[NodeAffinity | None, _PART] = None
    pod_affinity: Annotated[PodAffinity | None, _PART] = None
    pod_anti_affinity: Annotated[PodAffinity | None, _PART] = None


class TopologySpread(Document, frozen=True):
    max_skew: Annotated[Annotated[int, Meta(ge=1)], _PART]
    topology_key: Annotated[str, _PART]
    when_unsatisfiable: Annotated[Literal["DoNotSchedule", "ScheduleAnyway"], _PART]
    label_selector: Annotated[LabelSelector | None, _PART] = None
    min_domains: Annotated[Annotated[int, Meta(ge=1)] | None, _PART] = None
    node_affinity_policy: Annotated[Literal["Honor", "Ignore"] | None, _PART] = None
    node_taints_policy: Annotated[Literal["Honor", "Ignore"] | None, _PART] = None
    match_label_keys: Annotated[Texts, _PART] = ()


class ReadinessGate(Document, frozen=True):
    condition_type: Annotated[str, _PART]


class SchedulingGate(Document, frozen=True):
    name: Annotated[str, _PART]


class OwnerReference(Document, frozen=True):
    api_version: Annotated[str, _PART]
    kind: Annotated[str, _PART]
    name: Annotated[str, _PART]
    uid: Annotated[str, _PART]
    controller: Annotated[bool | None, _PART] = None
    block_owner_deletion: Annotated[bool | None, _PART] = None
