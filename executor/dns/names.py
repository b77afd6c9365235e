"""What pods and Mesos tasks are called. Pure.

Mesos' names are those that Mesos-DNS gives (its docs/naming.md and records/labels): `<task>.<framework>.<domain>` and
the same with a part that is the task's own. Kubernetes' names are those of its "DNS for Services and Pods", below
`<namespace>.pod` and `<namespace>.svc` of the cluster domain.

Every name and address that leaves this module is one of executor/hostnames.py, which cannot break out of its line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from executor.errors import Failure
from executor.hostnames import LABEL_MAX, NAME_MAX, address, is_label, is_name, unpublishable
from executor.names import SERVICE_KEY

if TYPE_CHECKING:
    from executor.spec.model import PodSpec

__all__ = ["LABEL_MAX", "NAME_MAX", "address", "is_label", "is_name", "unpublishable"]

NAMES_MAX = 64
"""How many names one pod or task may have beside its addresses' own."""

Pair = tuple[str, str]
"""An address and one of its names."""

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
            for name in [*names, *filter(is_name, [f"{dashed(ip)}.{self.pod_domain}"] if self.pod_domain else [])]
        )


@dataclass(frozen=True)
class Zones:
    """The two domains that are the node's own: everything below them is answered here, or does not exist."""

    domain: str = "mesos"
    cluster_domain: str = "cluster.local"

    def pod(self, namespace: str) -> str:
        """The domain of the names of pods of a namespace."""
        return f"{namespace}.pod.{self.cluster_domain}"

    def service(self, namespace: str) -> str:
        """The domain of the names of services of a namespace."""
        return f"{namespace}.svc.{self.cluster_domain}"

    def search(self, namespace: str) -> tuple[str, ...]:
        """For resolv.conf: what makes a service's or a pod's plain name enough within its namespace."""
        cluster = self.cluster_domain
        return (self.service(namespace), self.pod(namespace), f"svc.{cluster}", cluster)

    def within_cluster(self, name: str) -> bool:
        """Whether a name is of a pod or service, in any namespace."""
        return name.endswith((f".svc.{self.cluster_domain}", f".pod.{self.cluster_domain}"))

    def within_namespace(self, name: str, namespace: str) -> bool:
        """Whether a name is of a pod or service of the namespace."""
        return name.endswith((f".{self.service(namespace)}", f".{self.pod(namespace)}"))


def first_of_each_family(ips: Iterable[str]) -> tuple[str, ...]:
    """As Mesos-DNS does: a client may not reach a pod's second network."""
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


def mesos_names(task: str, task_id: str, framework: str, agent_id: str, zones: Zones) -> tuple[str, ...]:
    """`<task>.<framework>.<domain>`, which all tasks of the name share, and one with `<task>-<hash>-<agent>`, which is
    this task's alone. `task` is the task's discovery name or name; none if nothing of it can be used. A framework's
    name makes no name below `svc` and `pod` of the cluster domain, for any pair of domains.
    """
    short, tail = label(task), f"{fragment(framework)}.{zones.domain}".strip(".")
    if not short or not fragment(framework):
        return ()
    own = f"{short}-{_hash(task_id)}-{label(agent_id.rpartition('-')[2])}"
    made = (f"{short}.{tail}", f"{own}.{tail}")
    return tuple(name for name in made if is_name(name) and not zones.within_cluster(name))


def pod_names(spec: PodSpec, ips: Sequence[str], zones: Zones, *, mesos: Sequence[str] = ()) -> PodNames:
    """A pod's names in Kubernetes' style, then those of its tasks (`mesos`)."""
    pod, service = zones.pod(spec.namespace), zones.service(spec.namespace)
    names = [f"{spec.name}.{pod}"]
    for each in (*filter(None, [spec.subdomain]), *services(spec.annotations, spec.labels)):
        names += [f"{each}.{service}", f"{spec.hostname}.{each}.{service}"]
    return PodNames(first_of_each_family(ips), (*dict.fromkeys(names), *mesos), pod)


def services(annotations: Mapping[str, str], labels: Mapping[str, str]) -> tuple[str, ...]:
    """The services that a pod stands behind, from its annotation or else its label; what is not a label is left out."""
    text = annotations.get(SERVICE_KEY) or labels.get(SERVICE_KEY) or ""
    return tuple(dict.fromkeys(each for part in text.split(",") if is_label(each := part.strip())))


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
    """The names, and the namespace that they all lie in. The labels are not trusted; empty without a namespace."""
    namespace = labels.get(NAMESPACE_LABEL, "")
    if not is_label(namespace):
        return (), ""
    found = labels.get(NAMES_LABEL, "").split(" ", NAMES_MAX + 1)[:NAMES_MAX]
    return tuple(name for name in found if is_name(name) and zones.within_namespace(name, namespace)), namespace


# --- files -----------------------------------------------------------------------------------------------------


def hosts_text(note: str, pairs: Iterable[Pair]) -> str:
    """A hosts file (hosts(5)): `note`, which is printable ASCII, as a comment, then one line for each address."""
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


def check_hosts_text(text: str) -> None:
    """Raises Failure for a text that `hosts_text` cannot have made of addresses and names: what writes the file calls
    it, so that a mistake elsewhere cannot reach the name server.
    """
    head, *lines = text.split("\n")
    if not (head.startswith("# ") and head.isascii() and head.isprintable()) or lines[-1:] != [""]:
        raise Failure("is not a hosts file: no comment first, or no end of the last line", subject=repr(head)[:80])
    for line in lines[:-1]:
        ip, *names = line.split(" ")
        if ip == "" or address(ip) != ip or not names or not all(map(is_name, names)):
            raise Failure("is not a line of an address and its names", subject=repr(line)[:80])


def _hash(task_id: str) -> str:
    """Five characters of z-base-32 of the SHA-1, as in Mesos-DNS; no secret."""
    bits = int.from_bytes(hashlib.sha1(task_id.encode(), usedforsecurity=False).digest()[:4]) >> 7
    return "".join(_ZBASE32[bits >> shift & 31] for shift in (20, 15, 10, 5, 0))
