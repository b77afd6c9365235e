"""What a pod asks of its networks in annotations. Pure.

mesos-pod-executor/networks      CNI networks to join: `podnet, storage`, or a JSON list of objects with `name` and, if
                                 wanted, `mac` and `ips`; the first is eth0
kubernetes.io/ingress-bandwidth  limits of the first network, bits per second as a quantity (`10M`), as in Kubernetes
kubernetes.io/egress-bandwidth
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from executor import quantity
from executor.errors import InvalidTask
from executor.names import SERVICE_KEY
from executor.spec.model import WantedNetwork

NETWORKS_KEY: Final = "mesos-pod-executor/networks"
INGRESS_KEY: Final = "kubernetes.io/ingress-bandwidth"
EGRESS_KEY: Final = "kubernetes.io/egress-bandwidth"
BANDWIDTH_LEAST, BANDWIDTH_MOST = 1000, 10**15
"""Kubernetes' own limits (pkg/util/bandwidth)."""
NETWORKS_MAX = 16
SERVICES_MAX = 32
METADATA_MAX_BYTES = 256 * 1024
"""As in Kubernetes (apimachinery, pkg/api/validation/objectmeta.go, TotalAnnotationSizeLimitB)."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    mac: str = ""
    ips: tuple[str, ...] = ()


def networks(annotations: Mapping[str, str]) -> tuple[WantedNetwork, ...]:
    """Raises InvalidTask."""
    text = annotations.get(NETWORKS_KEY)
    if text is None:
        return ()
    subject = f"metadata.annotations['{NETWORKS_KEY}']"
    entries = _entries(text, subject)
    if not entries:
        raise InvalidTask("names no network", subject=subject, hint="name one, or leave it out")
    few(len(entries), NETWORKS_MAX, "networks", subject)
    return tuple(_wish(entry, subject) for entry in entries)


def few(count: int, most: int, what: str, subject: str) -> None:
    """Raises InvalidTask above `most`."""
    if count > most:
        raise InvalidTask(f"names {count} {what}, which is more than {most}", subject=subject)


def check(annotations: Mapping[str, str], labels: Mapping[str, str]) -> None:
    """What a pod's own words have room for. Raises InvalidTask."""
    for subject, table in (("metadata.annotations", annotations), ("metadata.labels", labels)):
        size_bytes = sum(len(text.encode()) for item in table.items() for text in item)
        if size_bytes > METADATA_MAX_BYTES:
            message = f"have {size_bytes} bytes together, which is more than {METADATA_MAX_BYTES}"
            raise InvalidTask(message, subject=subject, hint="put the data into a file of the image or of a volume")
        services = table.get(SERVICE_KEY, "").count(",") + 1
        few(services, SERVICES_MAX, "services", f"{subject}['{SERVICE_KEY}']")


def bandwidth(annotations: Mapping[str, str]) -> tuple[int, int]:
    """Ingress and egress of the pod, bits per second; 0: no limit. Raises InvalidTask."""
    ingress, egress = (_rate(annotations, key) for key in (INGRESS_KEY, EGRESS_KEY))
    return ingress, egress


def _entries(text: str, subject: str) -> tuple[_Entry, ...]:
    if not text.lstrip().startswith("["):
        return tuple(_Entry(name) for part in text.split(",") if (name := part.strip()))
    try:
        return msgspec.json.decode(text, type=tuple[_Entry, ...])
    except (msgspec.DecodeError, RecursionError) as error:
        hint = 'write names with commas between them, or [{"name": "podnet", "mac": "...", "ips": ["10.1.2.3"]}]'
        raise InvalidTask(f"is not a list of networks: {error}", subject=subject, hint=hint) from error


def _wish(entry: _Entry, subject: str) -> WantedNetwork:
    if not _NAME.fullmatch(entry.name):
        raise InvalidTask(f"{entry.name[:80]!r} is not a name of a network", subject=subject)
    if entry.mac and not _MAC.fullmatch(entry.mac):
        raise InvalidTask(f"{entry.mac[:80]!r} is not a MAC address", subject=subject)
    for ip in entry.ips:
        _check_ip(ip, subject)
    info: dict[str, Any] = {"name": entry.name}
    return WantedNetwork(entry.name, info, mac=entry.mac, ips=entry.ips)


def _check_ip(ip: str, subject: str) -> None:
    try:
        if "%" in ip:
            raise ValueError("a zone")
        ipaddress.ip_interface(ip)
    except ValueError as error:
        raise InvalidTask(f"{ip[:80]!r} is not an IP address", subject=subject, hint="as in 10.1.2.3") from error


def _rate(annotations: Mapping[str, str], key: str) -> int:
    if key not in annotations:
        return 0
    subject = f"metadata.annotations['{key}']"
    bits = math.ceil(quantity.parse(annotations[key], subject=subject))
    if not BANDWIDTH_LEAST <= bits <= BANDWIDTH_MOST:
        raise InvalidTask(f"{bits} bits per second are out of range", subject=subject, hint="from 1k to 1P")
    return bits
