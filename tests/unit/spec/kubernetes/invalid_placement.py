"""Pods that Kubernetes refuses for what they say of the nodes that they want: as in invalid_pods. Pure."""

from __future__ import annotations

from typing import Any

from tests.unit.pod.samples import Document, pod

AFFINITY = "spec.affinity"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NODE = f"{AFFINITY}.nodeAffinity.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0]"
POD = f"{AFFINITY}.podAffinity.{REQUIRED}[0]"
SPREAD = "spec.topologySpreadConstraints[0]"


def toleration(**fields: Any) -> Document:
    return pod(tolerations=[fields])


def node_term(**requirement: Any) -> Document:
    terms = [{"matchExpressions": [{"key": "a", **requirement}]}]
    return pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}})


def pod_term(**term: Any) -> Document:
    return pod(affinity={"podAffinity": {REQUIRED: [{"topologyKey": "zone", **term}]}})


def preferred(weight: Any) -> Document:
    preference = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
    return pod(affinity={"nodeAffinity": {PREFERRED: [{"weight": weight, "preference": preference}]}})


def spread(**fields: Any) -> Document:
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", **fields}
    return pod(topologySpreadConstraints=[constraint])


INVALID: dict[str, tuple[str, Document]] = {
    "node labels that are a list": ("spec.nodeSelector", pod(nodeSelector=["a"])),
    "a node label that is a boolean": ("spec.nodeSelector['a']", pod(nodeSelector={"a": True})),
    "a node label with a bad name": ("spec.nodeSelector['a b']", pod(nodeSelector={"a b": "c"})),
    "tolerations that are a mapping": ("spec.tolerations", pod(tolerations={"key": "a"})),
    "an unknown toleration": ("spec.tolerations[0].operator", toleration(key="a", operator="Has")),
    "an unknown effect": ("spec.tolerations[0].effect", toleration(key="a", operator="Exists", effect="Never")),
    "a toleration of all with a value": (
        "spec.tolerations[0].value",
        toleration(key="a", operator="Exists", value="b"),
    ),
    "a toleration without a key": ("spec.tolerations[0].operator", toleration(operator="Equal", value="b")),
    "a toleration for seconds of no eviction": (
        "spec.tolerations[0].effect",
        toleration(key="a", operator="Exists", effect="NoSchedule", tolerationSeconds=5),
    ),
    "a toleration for seconds in words": (
        "spec.tolerations[0].tolerationSeconds",
        toleration(key="a", operator="Exists", effect="NoExecute", tolerationSeconds="5"),
    ),
    "an unknown operator": (f"{NODE}.operator", node_term(operator="Has", values=["b"])),
    "In without a value": (f"{NODE}.values", node_term(operator="In")),
    "Exists with a value": (f"{NODE}.values", node_term(operator="Exists", values=["b"])),
    "Gt of a word": (f"{NODE}.values[0]", node_term(operator="Gt", values=["b"])),
    "no term": (
        f"{AFFINITY}.nodeAffinity.{REQUIRED}.nodeSelectorTerms",
        pod(affinity={"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": []}}}),
    ),
    "a weight of 0": (f"{AFFINITY}.nodeAffinity.{PREFERRED}[0].weight", preferred(0)),
    "a weight of 101": (f"{AFFINITY}.nodeAffinity.{PREFERRED}[0].weight", preferred(101)),
    "no topology": (f"{POD}.topologyKey", pod_term(topologyKey="")),
    "Gt of labels": (
        f"{POD}.labelSelector.matchExpressions[0].operator",
        pod_term(labelSelector={"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
    ),
    "a bad label of pods": (
        f"{POD}.labelSelector.matchLabels['a']",
        pod_term(labelSelector={"matchLabels": {"a": "b/c"}}),
    ),
    "a skew of 0": (f"{SPREAD}.maxSkew", spread(maxSkew=0)),
    "an unknown spread": (f"{SPREAD}.whenUnsatisfiable", spread(whenUnsatisfiable="Never")),
    "a spread without a topology": (f"{SPREAD}.topologyKey", spread(topologyKey="")),
    "domains of a loose spread": (f"{SPREAD}.minDomains", spread(whenUnsatisfiable="ScheduleAnyway", minDomains=2)),
}
