"""Shapes of the corpus as pods that this node can run. Pure.

Kept is what a shape asks of the executor: its containers and their order, users, capabilities, volumes and mounts,
variables, probes and hooks, names, restarts. Replaced is what the corpus has made up, or what the node does not have:

images, commands      the tests' own images; a program that prints what it sees (FACTS), then serves the ports of its
                      probes and hooks, or ends if the shape has no reason to go on
amounts               small ones, with a limit where the shape has one; extended resources and
                      huge pages are left out: test_host.py has a pod with these
ports of the node     ports of the task
paths of the node     directories and files that the test has made
claims                emptyDir volumes: tests/integration has persistent volumes
times                 seconds
HTTPS, gRPC           HTTP, a connection: the image has no server for these
capabilities          those that the test's node lacks are left out
profiles              PROFILE for seccomp's; AppArmor's are left out: the test's node has no AppArmor
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.referred import with_referred

Document = dict[str, Any]
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
HOOKS = ("postStart", "preStop")
PROFILE = "audit.json"
"""The seccomp profile on the node."""
LEFT_OUT = ("nodeName", "activeDeadlineSeconds")
FACTS = r"""
/bin/tr '\0' '\n' </proc/$$$$/environ | /bin/sed 's/^/env /'
export PATH=/bin
for name in Uid Gid Groups CapEff CapBnd NoNewPrivs Seccomp; do
    echo "$name" $(sed -n "s/^$name://p" /proc/self/status)
done
echo cwd $(pwd)
echo hostname $(hostname)
sed 's/^/mount /' /proc/self/mountinfo
sed 's/^/hosts /' /etc/hosts
sed 's/^/resolv /' /etc/resolv.conf
echo end
"""
"""`$$$$` is the shell's own id: Kubernetes takes `$$` in a command for `$`."""
_ANSWER = r"""while read -r line && [ ${#line} -gt 1 ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\n" """


@dataclass(frozen=True)
class Node:
    """What the node has for shapes. `paths` is a directory with `directory`, `file`, `socket` and `dev` in it;
    `capabilities` are those that a container can have there; `user_image` has a user who is not root.
    """

    image: str
    user_image: str
    paths: str
    capabilities: frozenset[str]


def launchable(shape: Mapping[str, Any], name: str, node: Node, ports: Iterator[int]) -> Document:
    """A List: the pod with this name, and what it names. `ports` of the node are taken as they are needed."""
    pod = _without_nulls(shape)
    pod["metadata"] = {**pod.get("metadata", {}), "name": name}
    pod["metadata"].pop("namespace", None)
    spec = pod["spec"]
    for field in LEFT_OUT:
        spec.pop(field, None)
    spec["terminationGracePeriodSeconds"] = min(1, spec.get("terminationGracePeriodSeconds", 1))
    for volume in spec.get("volumes", []):
        _adapt_volume(volume, node.paths)
    _adapt_profiles(spec.get("securityContext", {}))
    taken: dict[int, int] = {}
    for field in ("initContainers", "containers"):
        for container in spec.get(field, []):
            _adapt_ports(container, taken, ports, on_node=bool(spec.get("hostNetwork")))
            _adapt_container(container, goes_on=_goes_on(spec, field, container))
            _adapt_user(container, spec.get("securityContext", {}), node)
    found = with_referred(pod)
    _add_parts(found["items"])
    return found


def _without_nulls(value: Any) -> Any:
    """A copy in which absent fields are absent."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _goes_on(spec: Document, field: str, container: Document) -> bool:
    if field == "initContainers":
        return container.get("restartPolicy") == "Always"
    return spec.get("restartPolicy", "Always") == "Always" or any(probe in container for probe in PROBES)


def ends(pod: Mapping[str, Any]) -> bool:
    """Whether it comes to its end by itself."""
    return not any(_goes_on(pod["spec"], "containers", one) for one in pod["spec"]["containers"])


def _adapt_volume(volume: Document, paths: str) -> None:
    if "persistentVolumeClaim" in volume:
        del volume["persistentVolumeClaim"]
        volume["emptyDir"] = {}
    if volume.get("emptyDir", {}).get("medium", "").startswith("HugePages"):
        volume["emptyDir"]["medium"] = "Memory"
    if host_path := volume.get("hostPath"):
        names = {"File": "file", "FileOrCreate": "file", "Socket": "socket", "CharDevice": "dev/null"}
        name = "dev" if host_path["path"] == "/dev" else names.get(host_path.get("type", ""), "directory")
        host_path["path"] = f"{paths}/{name}"


def _adapt_ports(container: Document, taken: dict[int, int], ports: Iterator[int], *, on_node: bool) -> None:
    """On the node's network a port is one of the node's: the probes follow it."""
    for port in container.get("ports", []):
        if on_node:
            port["containerPort"] = taken.setdefault(port["containerPort"], 0) or next(ports)
            port.pop("hostPort", None)
        elif port.get("hostPort"):
            port["hostPort"] = next(ports)
        port.pop("hostIP", None)


def _adapt_profiles(context: Document) -> None:
    if context.get("seccompProfile", {}).get("type") == "Localhost":
        context["seccompProfile"]["localhostProfile"] = PROFILE
    if context.get("appArmorProfile", {}).get("type") == "Localhost":
        del context["appArmorProfile"]


def _adapt_user(container: Document, shared: Document, node: Node) -> None:
    own = container.get("securityContext", {})
    _adapt_profiles(own)
    asked = {**shared, **own}
    needs_user = asked.get("runAsNonRoot") and asked.get("runAsUser") is None
    container["image"] = node.user_image if needs_user else node.image
    if added := own.get("capabilities", {}).get("add"):
        own["capabilities"]["add"] = [name for name in added if name == "ALL" or f"CAP_{name}" in node.capabilities]


def _adapt_container(container: Document, *, goes_on: bool) -> None:
    container["imagePullPolicy"] = "Never"
    container.pop("args", None)
    asked = container.get("resources", {})
    for field in asked:
        small = {"cpu": "100m", "memory": "32Mi", "ephemeral-storage": "64Mi"}
        asked[field] = {name: small[name] for name in asked[field] if name in small}
    served = [port for one in _actions(container) if (port := _adapt_action(one, container)) is not None]
    lines = [f"nc -ll -p {port} -e /bin/sh -c '{_ANSWER}' &" for port in dict.fromkeys(served)]
    container["command"] = ["/bin/sh", "-c", "\n".join([FACTS, *lines, "exec sleep 1000" if goes_on else ""])]


def _actions(container: Document) -> Iterator[Document]:
    for name in PROBES:
        if probe := container.get(name):
            for field, most in (("initialDelaySeconds", 1), ("periodSeconds", 1), ("successThreshold", 2)):
                if field in probe:
                    probe[field] = min(most, probe[field])
            probe["timeoutSeconds"] = 10
            probe["failureThreshold"] = 30
            yield probe
    for name in HOOKS:
        if hook := container.get("lifecycle", {}).get(name):
            yield hook


def _adapt_action(action: Document, container: Document) -> int | None:
    """The port at which something must answer."""
    if "exec" in action:
        action["exec"]["command"] = ["true"]
        return None
    if "grpc" in action:
        action["tcpSocket"] = {"port": action.pop("grpc")["port"]}
    asked = action.get("httpGet") or action.get("tcpSocket")
    if asked is None:
        return None
    asked.pop("host", None)
    asked.pop("scheme", None)
    named = {port.get("name"): port["containerPort"] for port in container.get("ports", [])}
    return int(named.get(asked["port"], asked["port"]))


def _add_parts(documents: list[Document]) -> None:
    """A mount of a part of a ConfigMap means that it has such a key."""
    pod, *objects = documents
    named = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    for field in ("initContainers", "containers"):
        for container in pod["spec"].get(field, []):
            for mount in container.get("volumeMounts", []):
                if part := mount.get("subPath"):
                    _add_part(volumes[mount["name"]], mount, part, named)


def _add_part(volume: Document, mount: Document, part: str, named: Mapping[tuple[str, str], Document]) -> None:
    for field, kind, name in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        source = volume.get(field)
        if source and not source.get("items") and (found := named.get((kind, source[name]))):
            key = part.replace(" ", "-").replace("/", "-")
            mount["subPath"] = key
            found.setdefault("data" if kind == "ConfigMap" else "stringData", {})[key] = "made up"
