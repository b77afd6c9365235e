"""What pods and Mesos tasks are called. Pure.

Mesos' names are those that Mesos-DNS gives (its docs/naming.md and records/labels): `<task>.<framework>.<domain>` and
the same with a part that is the task's own. Kubernetes' names are those of its "DNS for Services and Pods", below
`<namespace>.pod` and `<namespace>.svc` of the cluster domain.

Every name that leaves this module consists of labels of RFC 1123, so that it can break out of no line of a file.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from executor.pod.spec import PodSpec

SERVICE_KEY = "mesos-pod-executor/service"
"""Annotation, or label, of a pod: the services it stands behind, separated by commas."""
LABEL_MAX = 63
NAME_MAX = 253
NAMES_MAX = 64
"""How many names one pod or task may have beside its addresses' own."""

Pair = tuple[str, str]
"""An address and one of its names."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
_KEPT = str.maketrans("_.", "--")
_ZBASE32 = "ybndrfg8ejkmcpqxot1uwisza345h769"


@dataclass(frozen=True)
class PodNames:
    """The full names of one pod or task, the same on each of its addresses; the first answers the reverse question.

    `pod_domain`, if any, also has a name for each address: `10-1-2-3.<pod_domain>`.
    """

    ips: tuple[str, ...]
    names: tuple[str, ...]
    pod_domain: str = ""

    def pairs(self) -> tuple[Pair, ...]:
        """What is not a name or an address is left out."""
        names = [name for name in dict.fromkeys(self.names) if is_name(name)][:NAMES_MAX]
        return tuple(
            (ip, name)
            for ip in dict.fromkeys(filter(None, map(address, self.ips)))
            for name in [*names, *([f"{dashed(ip)}.{self.pod_domain}"] if is_name(self.pod_domain) else [])]
        )


@dataclass(frozen=True)
class Zones:
    """The two domains that are the node's own: everything below them is answered here, or does not exist."""

    domain: str = "mesos"
    cluster_domain: str = "cluster.local"

    def pod(self, namespace: str) -> str:
        return f"{namespace}.pod.{self.cluster_domain}"

    def service(self, namespace: str) -> str:
        return f"{namespace}.svc.{self.cluster_domain}"

    def search(self, namespace: str) -> tuple[str, ...]:
        """For resolv.conf: what makes a service's or a pod's plain name enough within its namespace."""
        cluster = self.cluster_domain
        return (self.service(namespace), self.pod(namespace), f"svc.{cluster}", cluster)

    def within_cluster(self, name: str) -> bool:
        return name.endswith((f".svc.{self.cluster_domain}", f".pod.{self.cluster_domain}"))


def is_name(text: str) -> bool:
    return 0 < len(text) <= NAME_MAX and _NAME.fullmatch(text) is not None


def address(text: str) -> str:
    """An IP address in its one form, without a prefix length; empty if it is none."""
    try:
        return str(ipaddress.ip_address(text.partition("/")[0]))
    except ValueError:
        return ""


def first_of_each_family(ips: Iterable[str]) -> tuple[str, ...]:
    """As Mesos-DNS does: a second network of a pod may not be reachable for who asks."""
    found: dict[bool, str] = {}
    for ip in ips:
        if known := address(ip):
            found.setdefault(":" in known, known)
    return tuple(found.values())


def dashed(ip: str) -> str:
    """An address as a label: 10-1-2-3, 2001-db8--1, 0--1."""
    label = ip.replace(".", "-").replace(":", "-")
    return f"{'0' * label.startswith('-')}{label}{'0' * label.endswith('-')}"


def label(text: str) -> str:
    """Any text as one label, as Mesos-DNS mangles it: `_` and `.` become `-`, other characters go; may be empty."""
    kept: list[str] = []
    for char in text.lower().translate(_KEPT):
        inner = 0 < len(kept) < LABEL_MAX - 1
        if (char == "-" and inner) or (char.isascii() and char.isalnum()):
            kept.append(char)
        if len(kept) == LABEL_MAX:
            break
    return "".join(kept).rstrip("-")


def fragment(text: str) -> str:
    """As `label`, but dots stay: a framework called `spark.prod` is a domain of two labels."""
    return ".".join(filter(None, map(label, text.split("."))))


def mesos_names(task: str, task_id: str, framework: str, agent_id: str, domain: str) -> tuple[str, ...]:
    """`<task>.<framework>.<domain>`, which all tasks of the name share, and one with `<task>-<hash>-<agent>`, which is
    this task's alone. `task` is the task's discovery name or name; none if nothing of it can be used.
    """
    short, tail = label(task), f"{fragment(framework)}.{domain}".strip(".")
    if not short or not fragment(framework):
        return ()
    own = f"{short}-{_hash(task_id)}-{agent_id.rpartition('-')[2].lower()}"
    return tuple(name for name in (f"{short}.{tail}", f"{own}.{tail}") if is_name(name))


def pod_names(spec: PodSpec, ips: Sequence[str], zones: Zones, *, mesos: Sequence[str] = ()) -> PodNames:
    """A pod's names in Kubernetes' style, then those of its tasks (`mesos`)."""
    pod, service = zones.pod(spec.namespace), zones.service(spec.namespace)
    names = [f"{spec.name}.{pod}"]
    for each in (*filter(None, [spec.subdomain]), *services(spec.annotations, spec.labels)):
        names += [f"{each}.{service}", f"{spec.hostname}.{each}.{service}"]
    return PodNames(first_of_each_family(ips), (*dict.fromkeys(names), *mesos), pod)


def services(annotations: Mapping[str, str], labels: Mapping[str, str]) -> tuple[str, ...]:
    """The services that a pod stands behind, from its annotation or else its label; what is no label is left out."""
    text = annotations.get(SERVICE_KEY) or labels.get(SERVICE_KEY) or ""
    return tuple(dict.fromkeys(each for part in text.split(",") if "." not in (each := part.strip()) and is_name(each)))


# --- what a status update tells the other nodes ----------------------------------------------------------------

NAMES_LABEL = "dns.names"
NAMESPACE_LABEL = "dns.namespace"


def to_labels(names: PodNames, zones: Zones) -> dict[str, str]:
    """A pod's names for the labels of its status updates, for the synchronisers of other nodes; Mesos' names are
    left out, because Mesos' state has what they are made of.
    """
    if not names.pod_domain:
        return {}
    known = [name for name in names.names if is_name(name) and zones.within_cluster(name)][:NAMES_MAX]
    return {NAMES_LABEL: " ".join(known), NAMESPACE_LABEL: names.pod_domain.partition(".")[0]}


def from_labels(labels: Mapping[str, str], zones: Zones) -> tuple[tuple[str, ...], str]:
    """The names and the pod domain; only such as lie within the cluster domain, whoever wrote the labels."""
    found = labels.get(NAMES_LABEL, "").split(" ", NAMES_MAX + 1)[:NAMES_MAX]
    namespace = labels.get(NAMESPACE_LABEL, "")
    good = "." not in namespace and is_name(namespace)
    names = tuple(name for name in found if is_name(name) and zones.within_cluster(name))
    return names, zones.pod(namespace) if good else ""


# --- files -----------------------------------------------------------------------------------------------------


def hosts_text(note: str, pairs: Iterable[Pair]) -> str:
    """A hosts file (hosts(5)): `note`, which has no line break, as a comment, then one line for each address."""
    lines: dict[str, list[str]] = {}
    for ip, name in pairs:
        lines.setdefault(ip, []).append(name)
    return f"# {note}\n" + "".join(f"{ip} {' '.join(names)}\n" for ip, names in lines.items())


def parse_hosts(text: str) -> tuple[str, tuple[Pair, ...]]:
    """The note and the pairs of a file as `hosts_text` makes it."""
    head, _, rest = text.partition("\n")
    return head.removeprefix("# "), tuple(_pairs(rest))


def _pairs(text: str) -> Iterator[Pair]:
    for line in text.splitlines():
        ip, *names = line.partition("#")[0].split() or [""]
        yield from ((ip, name) for name in names)


def _hash(task_id: str) -> str:
    """Five characters of z-base-32 of the SHA-1, as in Mesos-DNS; no secret."""
    bits = int.from_bytes(hashlib.sha1(task_id.encode(), usedforsecurity=False).digest()[:4]) >> 7
    return "".join(_ZBASE32[bits >> shift & 31] for shift in (20, 15, 10, 5, 0))
