"""Kubernetes' rules for what a Pod says of the nodes that it wants, which has no effect here. Pure.

Source: pkg/apis/core/validation/validation.go (validateNodeSelectorRequirement, ValidateTolerations, validateAffinity,
validateTopologySpreadConstraints).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec.kubernetes import names
from executor.spec.kubernetes.placement_documents import (
    Affinity,
    LabelSelector,
    NodeAffinity,
    NodeTerm,
    PodAffinity,
    PodTerm,
    ReadinessGate,
    Requirement,
    Toleration,
    TopologySpread,
)
from executor.spec.reading.faults import Faults

if TYPE_CHECKING:
    from executor.spec.kubernetes.pod_documents import PodSpec

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def check(spec: PodSpec, faults: Faults) -> None:
    """Judge what a scheduler of Kubernetes would read; what is wrong goes to `faults`."""
    names.labels(spec.node_selector, "spec.nodeSelector", faults)
    for name, path in (
        (spec.priority_class_name, "spec.priorityClassName"),
        (spec.scheduler_name, "spec.schedulerName"),
    ):
        if name:
            faults.check(common.dns_subdomain, name, path)
    faults.items(_toleration, spec.tolerations, "spec.tolerations")
    faults.items(_gate, spec.readiness_gates, "spec.readinessGates")
    spread, path = spec.topology_spread_constraints, "spec.topologySpreadConstraints"
    for index, each in enumerate(spread):
        _spread(each, f"{path}[{index}]", faults)
    pairs = (
        (f"{path}[{index}]", f"{each.topology_key} {each.when_unsatisfiable}") for index, each in enumerate(spread)
    )
    faults.check(common.unique, pairs)
    _affinity(spec.affinity, faults)


def _gate(gate: ReadinessGate, path: str) -> None:
    names.qualified(gate.condition_type, f"{path}.conditionType")


def _toleration(one: Toleration, path: str) -> None:
    if not one.key and one.operator != "Exists":
        raise InvalidTask("must be Exists for a toleration without a key", subject=f"{path}.operator")
    if one.operator == "Exists" and one.value:
        raise InvalidTask("must be empty where the operator is Exists", subject=f"{path}.value")
    if one.operator in ("", "Equal"):
        names.label_value(one.value, f"{path}.value")
    if one.toleration_seconds is not None and one.effect != "NoExecute":
        raise InvalidTask("must be NoExecute where tolerationSeconds is set", subject=f"{path}.effect")


def _affinity(affinity: Affinity | None, faults: Faults) -> None:
    if affinity is None:
        return
    if affinity.node_affinity is not None:
        _node_affinity(affinity.node_affinity, "spec.affinity.nodeAffinity", faults)
    for each, name in ((affinity.pod_affinity, "podAffinity"), (affinity.pod_anti_affinity, "podAntiAffinity")):
        if each is not None:
            _pod_affinity(each, f"spec.affinity.{name}", faults)


def _node_affinity(affinity: NodeAffinity, path: str, faults: Faults) -> None:
    if affinity.required is not None:
        place = f"{path}.{_REQUIRED}.nodeSelectorTerms"
        if not affinity.required.node_selector_terms:
            faults.add(InvalidTask("needs at least one term", subject=place))
        for index, term in enumerate(affinity.required.node_selector_terms):
            _node_term(term, f"{place}[{index}]", faults)
    for index, preferred in enumerate(affinity.preferred):
        _node_term(preferred.preference, f"{path}.{_PREFERRED}[{index}].preference", faults)


def _node_term(term: NodeTerm, path: str, faults: Faults) -> None:
    faults.items(_requirement, term.match_expressions, f"{path}.matchExpressions")
    for index, each in enumerate(term.match_fields):
        if each.key != "metadata.name" or each.operator not in ("In", "NotIn") or len(each.values) != 1:
            message = "may select metadata.name by In or NotIn with one value"
            faults.add(InvalidTask(message, subject=f"{path}.matchFields[{index}]"))


def _requirement(one: Requirement, path: str) -> None:
    if not one.key:
        raise InvalidTask("is missing", subject=f"{path}.key", hint="it is required")
    _values(one, path)
    if one.operator in ("Gt", "Lt") and not one.values[0].removeprefix("-").isdecimal():
        raise InvalidTask("must be a whole number", subject=f"{path}.values[0]")


def _values(one: Requirement, path: str) -> None:
    wanted = {"Exists": "no value", "DoesNotExist": "no value", "Gt": "one value", "Lt": "one value"}
    right = {"no value": not one.values, "one value": len(one.values) == 1}
    kind = wanted.get(one.operator, "at least one value")
    if not right.get(kind, bool(one.values)):
        raise InvalidTask(f"must have {kind} where the operator is {one.operator}", subject=f"{path}.values")


def _pod_affinity(affinity: PodAffinity, path: str, faults: Faults) -> None:
    for index, term in enumerate(affinity.required):
        _pod_term(term, f"{path}.{_REQUIRED}[{index}]", faults)
    for index, preferred in enumerate(affinity.preferred):
        _pod_term(preferred.pod_affinity_term, f"{path}.{_PREFERRED}[{index}].podAffinityTerm", faults)


def _pod_term(term: PodTerm, path: str, faults: Faults) -> None:
    _topology_key(term.topology_key, f"{path}.topologyKey", faults)
    _selector(term.label_selector, f"{path}.labelSelector", faults)
    _selector(term.namespace_selector, f"{path}.namespaceSelector", faults)
    faults.items(common.dns_label, term.namespaces, f"{path}.namespaces")


def _topology_key(key: str, path: str, faults: Faults) -> None:
    if not key:
        faults.add(InvalidTask("is missing", subject=path, hint="it is required"))


def _selector(selector: LabelSelector | None, path: str, faults: Faults) -> None:
    if selector is None:
        return
    names.labels(selector.match_labels, f"{path}.matchLabels", faults)
    faults.items(_label_requirement, selector.match_expressions, f"{path}.matchExpressions")


def _label_requirement(one: Requirement, path: str) -> None:
    if one.operator in ("Gt", "Lt"):
        raise InvalidTask(f"{one.operator} does not compare labels", subject=f"{path}.operator")
    _requirement(one, path)
    for index, value in enumerate(one.values):
        names.label_value(value, f"{path}.values[{index}]")


def _spread(one: TopologySpread, path: str, faults: Faults) -> None:
    _topology_key(one.topology_key, f"{path}.topologyKey", faults)
    _selector(one.label_selector, f"{path}.labelSelector", faults)
    if one.min_domains is not None and one.when_unsatisfiable != "DoNotSchedule":
        message = "needs whenUnsatisfiable: DoNotSchedule"
        faults.add(InvalidTask(message, subject=f"{path}.minDomains"))
