"""Pods that Kubernetes refuses, one fault each: the path of the fault and the document. Pure.

Written from the rules of pkg/apis/core/validation and of the decoders, in words of our own.
"""

from __future__ import annotations

from typing import Any

from tests.unit.pod.samples import Document, pod

LONG = "a" * 64
DEEP = ".".join(["a" * 60] * 5)
C = "spec.containers[0]"


def meta(**metadata: Any) -> Document:
    return {**pod(), "metadata": {"name": "web", **metadata}}


def port(**fields: Any) -> Document:
    return pod({"ports": [{"containerPort": 80, **fields}]})


def two_ports(**fields: Any) -> Document:
    return pod({"ports": [{"containerPort": 80, **fields}, {"containerPort": 81, **fields}]})


def env(name: Any, **fields: Any) -> Document:
    return pod({"env": [{"name": name, **fields}]})


def limits(**amounts: Any) -> Document:
    return pod({"resources": {"limits": amounts}})


def requests(**amounts: Any) -> Document:
    return pod({"resources": {"requests": amounts}})


def own(**context: Any) -> Document:
    return pod({"securityContext": context})


def shared(**context: Any) -> Document:
    return pod(securityContext=context)


def mount(*paths: Any, **fields: Any) -> Document:
    mounts = [{"name": "v", "mountPath": path, **fields} for path in paths]
    return pod({"volumeMounts": mounts}, volumes=[{"name": "v", "emptyDir": {}}])


def volume(**source: Any) -> Document:
    return pod(volumes=[{"name": "v", **source}])


def dns(policy: str = "Default", **config: Any) -> Document:
    return pod(dnsPolicy=policy, dnsConfig=config)


def field_ref(path: str) -> Document:
    return env("A", valueFrom={"fieldRef": {"fieldPath": path}})


SYSCTLS = "spec.securityContext.sysctls[0]"

INVALID: dict[str, tuple[str, Document]] = {
    # what it is
    "another version": ("apiVersion", {**pod(), "apiVersion": "v2"}),
    "another kind": ("kind", {**pod(), "kind": "Pods"}),
    "no version": ("apiVersion", {"kind": "Pod", "spec": pod()["spec"]}),
    "no spec": ("spec", {"apiVersion": "v1", "kind": "Pod"}),
    "a field of nothing": ("spec.contaners", pod(contaners=[])),
    "a field in another case": (f"{C}.Image", pod({"Image": "x"})),
    # names
    "a name with capitals": ("metadata.name", meta(name="Web")),
    "a name with an underscore": ("metadata.name", meta(name="a_b")),
    "a name that begins with a point": ("metadata.name", meta(name=".a")),
    "a name of 254 letters": ("metadata.name", meta(name=DEEP)),
    "a name that is a number": ("metadata.name", meta(name=5)),
    "a namespace with a point": ("metadata.namespace", meta(namespace="a.b")),
    "a namespace of 64 letters": ("metadata.namespace", meta(namespace=LONG)),
    "a generated name with capitals": ("metadata.generateName", meta(generateName="Web-")),
    "a time that is none": ("metadata.creationTimestamp", meta(creationTimestamp="yesterday")),
    "an owner without a name": (
        "metadata.ownerReferences[0].name",
        meta(ownerReferences=[{"apiVersion": "v1", "kind": "A", "uid": "1"}]),
    ),
    "finalizers that are a word": ("metadata.finalizers", meta(finalizers="x")),
    "labels that are a list": ("metadata.labels", meta(labels=["a"])),
    "a label that is a number": ("metadata.labels['a']", meta(labels={"a": 1})),
    "a label that is a boolean": ("metadata.labels['a']", meta(labels={"a": True})),
    "a label's name with two slashes": ("metadata.labels['a/b/c']", meta(labels={"a/b/c": ""})),
    "a label's name with a space": ("metadata.labels['a b']", meta(labels={"a b": ""})),
    "a label's name of 64 letters": (f"metadata.labels['{LONG}']", meta(labels={LONG: ""})),
    "a label's name that is empty": ("metadata.labels['']", meta(labels={"": "a"})),
    "a label's prefix with capitals": ("metadata.labels['A.b/c']", meta(labels={"A.b/c": ""})),
    "a label's value of 64 letters": ("metadata.labels['a']", meta(labels={"a": LONG})),
    "a label's value with a slash": ("metadata.labels['a']", meta(labels={"a": "b/c"})),
    "a label's value that ends in a hyphen": ("metadata.labels['a']", meta(labels={"a": "b-"})),
    "an annotation's name with a space": ("metadata.annotations['a b']", meta(annotations={"a b": ""})),
    "an annotation that is a number": ("metadata.annotations['a']", meta(annotations={"a": 1})),
    "annotations without end": ("metadata.annotations", meta(annotations={"a": "x" * 300_000})),
    # containers
    "no containers": ("spec.containers", pod(containers=[])),
    "containers that are a mapping": ("spec.containers", pod(containers={})),
    "a container without a name": (f"{C}.name", pod(containers=[{"image": "x"}])),
    "a container's name with a point": (f"{C}.name", pod({"name": "a.b"})),
    "a container's name of 64 letters": (f"{C}.name", pod({"name": LONG})),
    "two containers of a name": ("spec.containers[1].name", pod(containers=[{"name": "a", "image": "x"}] * 2)),
    "no image": (f"{C}.image", pod({"image": ""})),
    "an image with a space in front": (f"{C}.image", pod({"image": " x"})),
    "a command that is a word": (f"{C}.command", pod({"command": "sh"})),
    "an argument that is a number": (f"{C}.args[0]", pod({"args": [1]})),
    "an unknown pull policy": (f"{C}.imagePullPolicy", pod({"imagePullPolicy": "Sometimes"})),
    "an unknown policy of messages": (f"{C}.terminationMessagePolicy", pod({"terminationMessagePolicy": "Log"})),
    "an unknown resize policy": (
        f"{C}.resizePolicy[0].restartPolicy",
        pod({"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "Never"}]}),
    ),
    "a resize of a disk": (
        f"{C}.resizePolicy[0].resourceName",
        pod({"resizePolicy": [{"resourceName": "disk", "restartPolicy": "NotRequired"}]}),
    ),
    "a tty that is a word": (f"{C}.tty", pod({"tty": "yes"})),
    # ports
    "no container port": (f"{C}.ports[0].containerPort", pod({"ports": [{"name": "http"}]})),
    "port 0": (f"{C}.ports[0].containerPort", port(containerPort=0)),
    "port 65536": (f"{C}.ports[0].containerPort", port(containerPort=65536)),
    "a port that is a word": (f"{C}.ports[0].containerPort", port(containerPort="80")),
    "a port with a fraction": (f"{C}.ports[0].containerPort", port(containerPort=80.5)),
    "a host port below 0": (f"{C}.ports[0].hostPort", port(hostPort=-1)),
    "a host port of 65536": (f"{C}.ports[0].hostPort", port(hostPort=65536)),
    "a protocol in small letters": (f"{C}.ports[0].protocol", port(protocol="tcp")),
    "an unknown protocol": (f"{C}.ports[0].protocol", port(protocol="ICMP")),
    "a port's name of 16 letters": (f"{C}.ports[0].name", port(name="a" * 16)),
    "a port's name with capitals": (f"{C}.ports[0].name", port(name="HTTP")),
    "a port's name without a letter": (f"{C}.ports[0].name", port(name="80")),
    "a port's name with two hyphens": (f"{C}.ports[0].name", port(name="a--b")),
    "a port's name that ends in a hyphen": (f"{C}.ports[0].name", port(name="a-")),
    "two ports of a name": (f"{C}.ports[1].name", two_ports(name="http")),
    "two ports on one of the node": ("spec.containers[].ports", two_ports(hostPort=31000)),
    "an address that is none": (f"{C}.ports[0].hostIP", port(hostIP="300.1.1.1")),
    "another host port in the node's network": (
        f"{C}.ports[0].hostPort",
        pod({"ports": [{"containerPort": 31000, "hostPort": 31001}]}, hostNetwork=True),
    ),
    # variables
    "a variable without a name": (f"{C}.env[0].name", pod({"env": [{"value": "x"}]})),
    "a variable with an empty name": (f"{C}.env[0].name", env("")),
    "a variable with = in its name": (f"{C}.env[0].name", env("A=B")),
    "a variable that begins with a digit": (f"{C}.env[0].name", env("1A")),
    "a variable with a slash in its name": (f"{C}.env[0].name", env("A/B")),
    "a variable with an umlaut in its name": (f"{C}.env[0].name", env("ä")),
    "a variable that is a number": (f"{C}.env[0].value", env("A", value=1)),
    "a variable that is a boolean": (f"{C}.env[0].value", env("A", value=True)),
    "a variable with two sources": (
        f"{C}.env[0]",
        env("A", value="x", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
    ),
    "a variable from nowhere": (f"{C}.env[0].valueFrom", env("A", valueFrom={})),
    "a field that no variable has": (f"{C}.env[0].valueFrom.fieldRef.fieldPath", field_ref("spec.containers")),
    "a resource that no variable has": (
        f"{C}.env[0].valueFrom.resourceFieldRef.resource",
        env("A", valueFrom={"resourceFieldRef": {"resource": "limits.gpu"}}),
    ),
    # amounts
    "a memory limit below 0": (f"{C}.resources.limits.memory", limits(memory="-1Mi")),
    "a cpu limit below 0": (f"{C}.resources.limits.cpu", limits(cpu=-1)),
    "an amount that is a word": (f"{C}.resources.limits.cpu", limits(cpu="many")),
    "an amount with an unknown suffix": (f"{C}.resources.limits.memory", limits(memory="1GB")),
    "an amount that is a boolean": (f"{C}.resources.limits.cpu", limits(cpu=True)),
    "an amount with a space": (f"{C}.resources.limits.memory", limits(memory="1 Gi")),
    "an unknown resource": (f"{C}.resources.limits.gpu", limits(gpu=1)),
    "a request above its limit": (
        f"{C}.resources.requests.cpu",
        pod({"resources": {"limits": {"cpu": "100m"}, "requests": {"cpu": "200m"}}}),
    ),
    "a request of memory above its limit": (
        f"{C}.resources.requests.memory",
        pod({"resources": {"limits": {"memory": "16Mi"}, "requests": {"memory": "32Mi"}}}),
    ),
    "a request below 0": (f"{C}.resources.requests.ephemeral-storage", requests(**{"ephemeral-storage": "-1"})),
    "limits that are a list": (f"{C}.resources.limits", pod({"resources": {"limits": []}})),
    # security
    "no escalation with SYS_ADMIN": (
        f"{C}.securityContext.allowPrivilegeEscalation",
        own(allowPrivilegeEscalation=False, capabilities={"add": ["SYS_ADMIN"]}),
    ),
    "no escalation of the privileged": (
        f"{C}.securityContext.allowPrivilegeEscalation",
        own(allowPrivilegeEscalation=False, privileged=True),
    ),
    "a user below 0": (f"{C}.securityContext.runAsUser", own(runAsUser=-1)),
    "a user above 31 bits": (f"{C}.securityContext.runAsUser", own(runAsUser=2**31)),
    "a user that is a name": (f"{C}.securityContext.runAsUser", own(runAsUser="www")),
    "a group below 0": ("spec.securityContext.runAsGroup", shared(runAsGroup=-5)),
    "groups that are one": ("spec.securityContext.supplementalGroups", shared(supplementalGroups=5)),
    "a group of the files below 0": ("spec.securityContext.fsGroup", shared(fsGroup=-1)),
    "an unknown change policy": ("spec.securityContext.fsGroupChangePolicy", shared(fsGroupChangePolicy="Never")),
    "an unknown policy of groups": (
        "spec.securityContext.supplementalGroupsPolicy",
        shared(supplementalGroupsPolicy="None"),
    ),
    "an unknown profile": ("spec.securityContext.seccompProfile.type", shared(seccompProfile={"type": "Default"})),
    "a profile without a type": ("spec.securityContext.seccompProfile.type", shared(seccompProfile={})),
    "an unknown capability": (f"{C}.securityContext.capabilities.add[0]", own(capabilities={"add": ["FLY"]})),
    "capabilities that are a word": (f"{C}.securityContext.capabilities.add", own(capabilities={"add": "ALL"})),
    "a boolean that is a word": (f"{C}.securityContext.readOnlyRootFilesystem", own(readOnlyRootFilesystem="true")),
    "an unknown mount of proc": (f"{C}.securityContext.procMount", own(procMount="Hidden")),
    "a sysctl without a value": (f"{SYSCTLS}.value", shared(sysctls=[{"name": "kernel.shm_rmid_forced"}])),
    "a sysctl's name that is none": (f"{SYSCTLS}.name", shared(sysctls=[{"name": "Kernel!", "value": "1"}])),
    "a sysctl twice": (
        "spec.securityContext.sysctls[1].name",
        shared(sysctls=[{"name": "kernel.shm_rmid_forced", "value": "1"}] * 2),
    ),
    "a sysctl of the node's network": (
        f"{SYSCTLS}.name",
        pod(securityContext={"sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}, hostNetwork=True),
    ),
    "an AppArmor profile of no container": (
        "metadata.annotations['container.apparmor.security.beta.kubernetes.io/x']",
        meta(annotations={"container.apparmor.security.beta.kubernetes.io/x": "unconfined"}),
    ),
    "an AppArmor profile that is none": (
        "metadata.annotations['container.apparmor.security.beta.kubernetes.io/app']",
        meta(annotations={"container.apparmor.security.beta.kubernetes.io/app": "strict"}),
    ),
    "a seccomp annotation that is none": (
        "metadata.annotations['seccomp.security.alpha.kubernetes.io/pod']",
        meta(annotations={"seccomp.security.alpha.kubernetes.io/pod": "strict"}),
    ),
    # volumes
    "a mount of no volume": (f"{C}.volumeMounts[0].name", pod({"volumeMounts": [{"name": "x", "mountPath": "/x"}]})),
    "a mount without a path": (
        f"{C}.volumeMounts[0].mountPath",
        pod({"volumeMounts": [{"name": "v"}]}, volumes=[{"name": "v", "emptyDir": {}}]),
    ),
    "a path that is mounted twice": (f"{C}.volumeMounts[1].mountPath", mount("/a", "/a")),
    "a mount's path with a colon": (f"{C}.volumeMounts[0].mountPath", mount("/a:b")),
    "an unknown propagation": (f"{C}.volumeMounts[0].mountPropagation", mount("/a", mountPropagation="Both")),
    "two volumes of a name": ("spec.volumes[1].name", pod(volumes=[{"name": "v", "emptyDir": {}}] * 2)),
    "a volume's name with capitals": ("spec.volumes[0].name", pod(volumes=[{"name": "V", "emptyDir": {}}])),
    "a volume with two sources": ("spec.volumes[0]", volume(emptyDir={}, hostPath={"path": "/a"})),
    "a volume with a size below 0": ("spec.volumes[0].emptyDir.sizeLimit", volume(emptyDir={"sizeLimit": "-1"})),
    "an unknown medium": ("spec.volumes[0].emptyDir.medium", volume(emptyDir={"medium": "Disk"})),
    "a path of the node that leads upwards": ("spec.volumes[0].hostPath.path", volume(hostPath={"path": "/a/../b"})),
    "a path of the node of an unknown type": (
        "spec.volumes[0].hostPath.type",
        volume(hostPath={"path": "/a", "type": "Disk"}),
    ),
    "an unknown source": ("spec.volumes[0].disk", volume(disk={})),
    # the pod
    "an unknown restart policy": ("spec.restartPolicy", pod(restartPolicy="Sometimes")),
    "a grace below 0": ("spec.terminationGracePeriodSeconds", pod(terminationGracePeriodSeconds=-1)),
    "a grace with a unit": ("spec.terminationGracePeriodSeconds", pod(terminationGracePeriodSeconds="30s")),
    "a deadline of 0": ("spec.activeDeadlineSeconds", pod(activeDeadlineSeconds=0)),
    "a priority above 31 bits": ("spec.priority", pod(priority=2**31)),
    "a host name with a point": ("spec.hostname", pod(hostname="a.b")),
    "a host name of 64 letters": ("spec.hostname", pod(hostname=LONG)),
    "a subdomain with capitals": ("spec.subdomain", pod(subdomain="A")),
    "an alias without an address": ("spec.hostAliases[0].ip", pod(hostAliases=[{"ip": "", "hostnames": ["a"]}])),
    "an alias with a bad name": (
        "spec.hostAliases[0].hostnames[0]",
        pod(hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a_b"]}]),
    ),
    "an unknown DNS policy": ("spec.dnsPolicy", pod(dnsPolicy="Host")),
    "no name server": ("spec.dnsConfig.nameservers", dns("None")),
    "four name servers": ("spec.dnsConfig.nameservers", dns(nameservers=[f"10.0.0.{n}" for n in range(4)])),
    "a name server that is a name": ("spec.dnsConfig.nameservers[0]", dns(nameservers=["dns.example"])),
    "33 domains to search": ("spec.dnsConfig.searches", dns(searches=[f"d{n}.example" for n in range(33)])),
    "domains to search without end": (
        "spec.dnsConfig.searches",
        dns(searches=[f"{'a' * 60}.{'b' * 60}.{n}.x" for n in range(17)]),
    ),
    "a domain that is none": ("spec.dnsConfig.searches[0]", dns(searches=["a..b"])),
    "an option of DNS without a name": ("spec.dnsConfig.options[0].name", dns(options=[{"value": "1"}])),
    "a network that is a word": ("spec.hostNetwork", pod(hostNetwork="true")),
    "a service account with capitals": ("spec.serviceAccountName", pod(serviceAccountName="Admin")),
    "a token that is a word": ("spec.automountServiceAccountToken", pod(automountServiceAccountToken="yes")),
    "a readiness gate without a type": ("spec.readinessGates[0].conditionType", pod(readinessGates=[{}])),
    "a preemption that is none": ("spec.preemptionPolicy", pod(preemptionPolicy="Always")),
    "a priority class with capitals": ("spec.priorityClassName", pod(priorityClassName="High")),
    "another system": ("spec.os", pod(os={"name": "windows"})),
}
