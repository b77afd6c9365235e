"""What pods of both descriptions, Kubernetes' and Mesos' own, are held to. Pure.

Every function takes the path of the field that it judges, to name it in its InvalidTask.
"""

from __future__ import annotations

import posixpath
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence

from executor import hostnames
from executor.errors import InvalidTask, together
from executor.mesos.resources import MIB, Resources
from executor.names import Role, TaskId
from executor.spec.model import ContainerSpec, Limits
from executor.spec.peak import peak

MIN_MEMORY_BYTES = 4 * MIB
"""Below this runc itself does not get a container started."""
PATH_MAX, IMAGE_MAX, WORD_MAX, SHORT_MAX = 4095, 1024, 512, 253
"""Letters: of a path that the kernel takes, of a reference of an image, of a word of resolv.conf, of an id."""
_FIT = "ask for less, or launch the task with more"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_VARIABLE = re.compile(r"[^\0=]+")


def dns_label(text: str, subject: str) -> str:
    """A name of one part, as a host name has it. Raises InvalidTask."""
    if not _LABEL.fullmatch(text):
        hint = "use 1 to 63 small letters, digits and -, with a letter or digit at both ends"
        raise InvalidTask(f"{text[:80]!r} is not a DNS label", subject=subject, hint=hint)
    return text


def dns_subdomain(text: str, subject: str) -> str:
    """A name of several parts with points between them. Raises InvalidTask."""
    if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
        raise InvalidTask(
            f"{text[:80]!r} is not a DNS name", subject=subject, hint="use small letters, digits, - and ."
        )
    return text


def slug(text: str) -> str:
    """Any text as a DNS label, `task` where nothing of it can be used."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower())
    return label.strip("-")[:63].rstrip("-") or "task"


def absolute(path: str, subject: str) -> str:
    """A clean absolute path: with nothing in it that leads upwards."""
    if len(path) > PATH_MAX:
        raise InvalidTask(f"{path[:80]!r}... is longer than {PATH_MAX} letters", subject=subject)
    if not path.startswith("/") or ".." in path.split("/"):
        raise InvalidTask(f"{path[:80]!r} is no absolute path, or has .. in it", subject=subject)
    return posixpath.normpath("/" + path.lstrip("/"))


def mount_path(path: str, subject: str) -> str:
    """Where a volume may be mounted, clean. Raises InvalidTask."""
    clean = absolute(path, subject)
    if clean in ("/", "/proc") or clean.startswith("/proc/"):
        raise InvalidTask(f"nothing can be mounted on {clean}", subject=subject)
    if ":" in clean:
        raise InvalidTask(f"{clean[:80]!r} has a colon", subject=subject)
    return clean


def ip_address(text: str, subject: str) -> str:
    """In its one form."""
    if "/" in text or not (known := hostnames.address(text)):
        raise InvalidTask(
            f"{text[:80]!r} is not an IP address", subject=subject, hint="write it without a zone or prefix"
        )
    return known


def host_name(text: str, subject: str) -> str:
    """For a hosts file: a name that no program takes for an address."""
    if hostnames.ends_in_number(text):
        raise InvalidTask(f"{text[:80]!r} looks like an IP address", subject=subject, hint="end it in a letter")
    return dns_subdomain(text, subject)


def variable(name: str, subject: str) -> str:
    """The name of a variable as execve(2) takes it. Raises InvalidTask."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidTask(f"{name[:80]!r} cannot name a variable", subject=subject)
    return name


def short(text: str, subject: str) -> str:
    """A text of SHORT_MAX letters at most. Raises InvalidTask."""
    if len(text) > SHORT_MAX:
        raise InvalidTask(f"{text[:80]!r}... is longer than {SHORT_MAX} letters", subject=subject)
    return text


def image(reference: str, subject: str) -> str:
    """The reference of an image, which is not parsed here. Raises InvalidTask."""
    if len(reference) > IMAGE_MAX:
        raise InvalidTask(f"{reference[:80]!r}... is longer than {IMAGE_MAX} letters", subject=subject)
    is_clean = reference == reference.strip() and not any(char.isspace() for char in reference)
    if not reference.strip("/") or not is_clean:
        raise InvalidTask("names no image", subject=subject, hint="name an image that is on the node")
    return reference


def unique(names: Iterable[tuple[str, str]]) -> None:
    """Pairs of subject and name. Raises for each name that was there before."""
    seen: set[str] = set()
    twice: list[InvalidTask] = []
    for subject, name in names:
        if name in seen:
            twice.append(InvalidTask(f"{name[:80]!r} is there twice", subject=subject, hint="each may be there once"))
        seen.add(name)
    if twice:
        raise together(twice)


def offered(port: int, resources: Resources, subject: str) -> int:
    """A port of the node that the task may use: two pods never get the same one from Mesos."""
    if not resources.offers(port):
        raise InvalidTask(
            f"port {port} of the node is not among the task's ports resource: {resources.ports_text()}",
            subject=subject,
            hint="take it from an offer's ports",
        )
    return port


def role(resources: Resources, subject: str) -> Role:
    """The one role to which the resources are allocated. Raises InvalidTask for several."""
    if len(resources.roles) > 1:
        raise InvalidTask(f"are allocated to several roles: {', '.join(resources.roles)}", subject=subject)
    return resources.roles[0] if resources.roles else Role("*")


def usable(resources: Resources, subject: str) -> None:
    """Raises if the resources are such as no pod can have here."""
    if resources.gpus:
        raise InvalidTask("gpus are not supported yet", subject=subject, hint="launch it without")
    if resources.special_disks:
        raise InvalidTask(f"this disk is not supported yet: {', '.join(resources.special_disks)}", subject=subject)
    if resources.mem_bytes < MIN_MEMORY_BYTES:
        hint = "a pod cannot run without memory: give the task mem"
        raise InvalidTask(
            f"mem is {resources.mem_bytes} bytes, less than {MIN_MEMORY_BYTES}", subject=subject, hint=hint
        )


def memory(size_bytes: int, resources: Resources, subject: str) -> int:
    """One container's limit of memory, in bytes: at least what it takes to start one."""
    if size_bytes > resources.mem_bytes:
        raise InvalidTask(
            f"{size_bytes} bytes are more than the task's mem of {resources.mem_bytes}", subject=subject, hint=_FIT
        )
    return max(size_bytes, MIN_MEMORY_BYTES)


def at_most(limits: Limits, requests: Limits, subject: str) -> None:
    """Raises InvalidTask for a request above its limit."""
    for name, most, asked in (
        ("cpu", limits.cpus, requests.cpus),
        ("memory", limits.memory_bytes, requests.memory_bytes),
        ("ephemeral-storage", limits.ephemeral_bytes, requests.ephemeral_bytes),
    ):
        if most is not None and asked is not None and asked > most:
            raise InvalidTask(
                f"requests {asked}, which is more than its limit of {most}", subject=f"{subject}.requests.{name}"
            )


def fits(containers: Sequence[ContainerSpec], resources: Resources, subject: str) -> None:
    """What containers are promised and allowed together must be the task's to give."""
    limits = peak(containers, lambda each: each.limits.memory_bytes, 0)
    requests = peak(containers, lambda each: each.requests.memory_bytes, 0)
    cpus = round(peak(containers, lambda each: each.requests.cpus, 0.0), 3)
    disk_bytes = peak(containers, lambda each: each.requests.ephemeral_bytes, 0)
    sums = (
        ("memory limits", limits, resources.mem_bytes, "mem", "bytes"),
        ("memory requests", requests, resources.mem_bytes, "mem", "bytes"),
        ("cpu requests", cpus, resources.cpus, "cpus", "cores"),
    )
    disk = ("ephemeral-storage requests", disk_bytes, resources.disk_bytes, "disk", "bytes")
    for what, total, most, name, unit in (*sums, disk) if resources.disk_bytes else sums:
        if total > most:
            raise InvalidTask(
                f"{what} are {total} {unit} together, the task's {name} {most}", subject=subject, hint=_FIT
            )


def uid(task_ids: Sequence[TaskId]) -> str:
    """A pod's UUID from its tasks, for a pod that brings none."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(["mesos", *task_ids])))


def without_twins(names: Sequence[str]) -> tuple[str, ...]:
    """Names made unique with -2, -3, ...; a DNS label stays one."""
    seen: Counter[str] = Counter()
    taken, found = set(names), []
    for name in names:
        seen[name] += 1
        unique_name = name
        while seen[name] > 1 and (unique_name in taken):
            unique_name = f"{name[:55].rstrip('-')}-{seen[name]}"
            seen[name] += unique_name in taken
        taken.add(unique_name)
        found.append(unique_name)
    return tuple(found)


def one_word(text: str, subject: str) -> str:
    """What becomes a word of resolv.conf."""
    if not text or len(text) > WORD_MAX or not text.isprintable() or any(char.isspace() for char in text):
        raise InvalidTask(f"{text[:80]!r} is not a single word", subject=subject)
    return text
