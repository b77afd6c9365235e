"""What a container of a shape must find by Kubernetes' rules, read from its document alone, and what it printed. Pure.

Every check is named, so that a count says of how many containers it held. Sources: the documentation of Kubernetes'
fields; capabilities(7).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]
_IN_MOUNTINFO, _OPTIONS = 4, 5
_BITS = {"NET_BIND_SERVICE": 10, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "CHOWN": 0}


class Printed:
    """The lines of FACTS."""

    def __init__(self, text: str) -> None:
        self._lines = [line.partition(" ")[::2] for line in text.splitlines()]
        self.whole = ("end", "") in self._lines

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._lines if key == name]

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    def mounts(self) -> dict[str, list[str]]:
        """The options of what is mounted last at each place."""
        found = [line.split() for line in self.all("mount")]
        return {_unescaped(fields[_IN_MOUNTINFO]): fields[_OPTIONS].split(",") for fields in found}


def _unescaped(path: str) -> str:
    return path.replace("\\040", " ")


def checks(pod: Document, container: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    """Each fact that the document decides, and whether it is so."""
    spec = pod["spec"]
    own, shared = container.get("securityContext", {}), spec.get("securityContext", {})
    yield "it printed all", printed.whole
    yield from _users(own, shared, printed)
    yield from _privileges(own, shared, printed)
    yield from _variables(pod, container, printed)
    yield from _mounts(own, container, printed)
    yield from _names(pod, printed)
    if container.get("workingDir"):
        yield "workingDir", printed.one("cwd") == container["workingDir"]


def _users(own: Document, shared: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    for field, line in (("runAsUser", "Uid"), ("runAsGroup", "Gid")):
        wanted = own.get(field, shared.get(field))
        if wanted is not None:
            yield field, printed.one(line).split() == [str(wanted)] * 4
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")):
        yield "runAsNonRoot", printed.one("Uid").split()[:1] != ["0"]
    groups = printed.one("Groups").split()
    if (group := shared.get("fsGroup")) is not None:
        yield "fsGroup", str(group) in groups
    for group in shared.get("supplementalGroups", []):
        yield "supplementalGroups", str(group) in groups


def _privileges(own: Document, shared: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    bounding = int(printed.one("CapBnd") or "0", 16)
    asked = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged", bool(bounding >> _BITS["SYS_ADMIN"] & 1)
        return
    if "allowPrivilegeEscalation" in own:
        yield "allowPrivilegeEscalation", printed.one("NoNewPrivs") == str(int(not own["allowPrivilegeEscalation"]))
    if "ALL" in asked.get("drop", []) and not asked.get("add"):
        yield "capabilities.drop", bounding == 0
    for name in asked.get("add", []):
        if name in _BITS:
            yield "capabilities.add", bool(bounding >> _BITS[name] & 1)
    profile = own.get("seccompProfile", shared.get("seccompProfile", {})).get("type")
    if profile is not None:
        yield "seccompProfile", printed.one("Seccomp") == ("0" if profile == "Unconfined" else "2")


def _variables(pod: Document, container: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    found = printed.all("env")
    for entry in container.get("env", []):
        name, value, source = entry["name"], entry.get("value", ""), entry.get("valueFrom", {})
        last = [each for each in container["env"] if each["name"] == name][-1] is entry
        if not last or "\n" in value or "$(" in value or "$$" in value:
            continue
        if not source:
            yield "env.value", f"{name}={value}" in found
        elif "secretKeyRef" in source or "configMapKeyRef" in source:
            yield "env.valueFrom of an object", f"{name}=made up" in found
        elif source.get("fieldRef", {}).get("fieldPath") == "metadata.name":
            yield "env.valueFrom metadata.name", f"{name}={pod['metadata']['name']}" in found
        else:
            yield "env.valueFrom of the pod", any(each.startswith(f"{name}=") and each != f"{name}=" for each in found)


def _mounts(own: Document, container: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    mounts = printed.mounts()
    for mount in container.get("volumeMounts", []):
        options = mounts.get(mount["mountPath"].rstrip("/") or "/")
        yield "volumeMounts", options is not None
        if mount.get("readOnly"):
            yield "volumeMounts.readOnly", "ro" in (options or [])
    if own.get("readOnlyRootFilesystem"):
        yield "readOnlyRootFilesystem", "ro" in mounts.get("/", [])


def _names(pod: Document, printed: Printed) -> Iterator[tuple[str, bool]]:
    spec = pod["spec"]
    if not spec.get("hostNetwork"):
        yield "hostname", printed.one("hostname") == spec.get("hostname", pod["metadata"]["name"])
    hosts = [line.split() for line in printed.all("hosts")]
    for alias in spec.get("hostAliases", []):
        wanted = {alias["ip"], *alias.get("hostnames", [])}
        yield "hostAliases", any(wanted <= set(words) for words in hosts)
    config = spec.get("dnsConfig", {})
    words = " ".join(printed.all("resolv")).split()
    for name in (*config.get("nameservers", []), *config.get("searches", [])):
        yield "dnsConfig", name in words
