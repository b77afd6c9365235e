"""The controls of the baseline level. Pure.

Each function is one row of the table "Baseline policy specification" of Kubernetes' page "Pod Security Standards"; its
docstring names the row, the restricted fields and the allowed values. The executor reads no ephemeral containers, and
an annotation of before 1.19 (seccomp) or 1.30 (AppArmor) counts as the field that replaced it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from executor.config.role_policy import RolePolicy, is_within
from executor.policy.violation import Violation, context, is_of_tasks, pod_path
from executor.spec.model import ContainerSpec, PodSpec
from executor.spec.probes import HttpGet, TcpSocket
from executor.spec.reading.marks import shown
from executor.spec.volume_model import HostPath

Control = Callable[[PodSpec, RolePolicy], Iterator[Violation]]

PRIVILEGED: Final = 'the operator can give the role the level "privileged" in [policy] roles'
_HOST_NETWORK: Final = "the operator can set host_network of the role in [policy]"
CAPABILITIES: Final = frozenset(
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip
SELINUX_TYPES: Final = ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t")
"""The last one since 1.31."""
SYSCTLS: Final = frozenset(
    {"kernel.shm_rmid_forced"}
    | {
        f"net.ipv4.{name}"
        for name in (
            "ip_local_port_range", "ip_unprivileged_port_start", "tcp_syncookies", "ping_group_range",
            "ip_local_reserved_ports", "tcp_keepalive_time", "tcp_fin_timeout", "tcp_keepalive_intvl",
            "tcp_keepalive_probes",
        )
    }
)  # fmt: skip
"""The fourth last since 1.27, those after it since 1.29."""


def host_process(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """HostProcess: `securityContext.windowsOptions.hostProcess` of the pod and of each container is undefined or
    false. It has no effect on Linux.
    """
    for one in pod.containers:
        if one.security.host_process:
            yield Violation(
                context(one, "windowsOptions.hostProcess"), "HostProcess", "is true", f"leave it out; {PRIVILEGED}"
            )


def host_namespaces(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Host Namespaces: spec.hostNetwork, spec.hostPID and spec.hostIPC are undefined or false.

    [policy] host_network allows the first.
    """
    asked = (
        (pod.host_network and not policy.host_network, "hostNetwork", "network", _HOST_NETWORK),
        (pod.host_pid, "hostPID", "processes", PRIVILEGED),
        (pod.host_ipc, "hostIPC", "IPC objects", PRIVILEGED),
    )
    for wanted, field, what, hint in asked:
        if wanted:
            message = f"the pod would share the node's {what}"
            instead = "use BRIDGE or USER, HOST is the default" if is_of_tasks(pod) else "leave it out"
            yield Violation(pod_path(pod, field), "Host Namespaces", message, f"{instead}; {hint}")


def privileged_containers(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Privileged Containers: `securityContext.privileged` of each container is undefined or false."""
    for one in pod.containers:
        if one.security.privileged:
            yield Violation(
                context(one, "privileged"), "Privileged Containers", "is true", f"ask for capabilities; {PRIVILEGED}"
            )


def capabilities(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Capabilities: `securityContext.capabilities.add` of each container has names of CAPABILITIES only.

    [policy] capabilities allows others.
    """
    allowed = CAPABILITIES | {f"CAP_{name}" for name in policy.capabilities}
    for one in pod.containers:
        beyond = [name for name in one.security.add_capabilities if name not in allowed]
        if beyond and not one.security.privileged:  # that has them all, and is a violation by itself
            names = ", ".join(name.removeprefix("CAP_") for name in beyond)
            hint = (
                f"leave these out, or let the operator add them to capabilities of the role in [policy]; {PRIVILEGED}"
            )
            yield Violation(context(one, "capabilities.add"), "Capabilities", f"asks for {names}", hint)


def host_path_volumes(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """HostPath Volumes: `spec.volumes[*].hostPath` is undefined.

    [policy] host_paths allows directories, and devices allows device nodes.
    """
    for volume in pod.host_paths:
        if volume.is_root:
            message = "names no image, and a task of this role does not run on the node's own file system"
            hint = f"name an image; the operator can set [pods] default_image, or {PRIVILEGED.partition(' can ')[2]}"
            yield Violation(volume.field, "HostPath Volumes", message, hint)
        elif (problem := host_path_problem(pod, volume, policy)) is not None:
            hint = "use a persistent volume claim, or let the operator add it to host_paths (or devices) of the role"
            yield Violation(volume.field, "HostPath Volumes", problem, hint)


def host_path_problem(pod: PodSpec, volume: HostPath, policy: RolePolicy) -> str | None:
    """Why the allow-lists do not cover a hostPath volume; None: they do."""
    if is_within(volume.path, "/dev"):
        return None if volume.path in policy.devices else f"{shown(volume.path)} is not a device that the role may use"
    covering = [allowed for allowed in policy.host_paths if is_within(volume.path, allowed.prefix)]
    if not covering:
        return f"the role may not use {shown(volume.path)} of the node"
    if (only_read := read_only_part(volume, policy)) is None:
        return None
    if volume.type.endswith("OrCreate"):
        return f"the role may only read below {only_read}, and {volume.type} writes"
    mounts = [mount for one in pod.containers for mount in one.mounts if mount.volume == volume.name]
    if any(not mount.read_only for mount in mounts):
        return f"the role may only read below {only_read}: set readOnly on each mount of the volume"
    return None


def read_only_part(volume: HostPath, policy: RolePolicy) -> str | None:
    """The directory, which the volume is in or which is in the volume, that the role may only read; None: there is
    none. A pod that writes above such a directory would write in it, too, or give it another name.
    """
    around = [allowed for allowed in policy.host_paths if is_within(volume.path, allowed.prefix)]
    closest = max(around, key=lambda allowed: len(allowed.prefix), default=None)
    inside = [allowed for allowed in policy.host_paths if is_within(allowed.prefix, volume.path)]
    return next((one.prefix for one in (closest, *inside) if one is not None and one.read_only), None)


def host_ports(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Host Ports: `ports[*].hostPort` of each container is undefined, 0 or of a known list.

    The known list is the ports that the task's resources have: executor/spec refuses every other one. [policy]
    host_ports = false allows none.
    """
    if policy.host_ports:
        return
    hint = "leave it out: a pod with a network of its own has all ports there; the operator can set host_ports"
    for one in pod.containers:
        for index, port in enumerate(one.ports):
            if port.host_port is not None:
                path = f"{one.path}.ports[{index}].hostPort"
                yield Violation(path, "Host Ports", f"asks for the node's port {port.host_port}", hint)
    declared = {port.host_port for one in pod.containers for port in one.ports}
    for mapping in pod.host_ports:
        if mapping.host_port not in declared:
            message = f"asks for the node's port {mapping.host_port}"
            yield Violation("TaskInfo.container.network_infos", "Host Ports", message, hint)


def host_probes(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Host Probes / Lifecycle Hooks (since 1.34): `host` of httpGet and tcpSocket of each probe and hook is undefined
    or empty: the executor, on the node's network, would ask any address for the pod.
    """
    for one in pod.containers:
        for path, host in _asked_hosts(one):
            hint = f"leave host out: the pod's own address is asked; {PRIVILEGED}"
            yield Violation(path, "Host Probes / Lifecycle Hooks", f"names the host {shown(host)}", hint)


def _asked_hosts(one: ContainerSpec) -> Iterator[tuple[str, str]]:
    found = [(f"{one.path}.{kind}Probe", probe.action) for kind, probe in one.probes]
    hooks = (("postStart", one.hooks.post_start), ("preStop", one.hooks.pre_stop))
    for path, action in (*found, *((f"{one.path}.lifecycle.{name}", hook) for name, hook in hooks)):
        if isinstance(action, HttpGet | TcpSocket) and action.host:
            yield f"{path}.{'httpGet' if isinstance(action, HttpGet) else 'tcpSocket'}.host", action.host


def app_armor(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """AppArmor: `appArmorProfile.type` of the pod and of each container is undefined, RuntimeDefault or Localhost, and
    so is the annotation.
    """
    for one in pod.containers:
        if one.security.app_armor == "Unconfined":
            path = context(one, "appArmorProfile.type")
            yield Violation(path, "AppArmor", "is Unconfined", f"leave it out; {PRIVILEGED}")


def selinux(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """SELinux: `seLinuxOptions.type` of the pod and of each container is undefined or one of SELINUX_TYPES, `user` and
    `role` are undefined or empty.
    """
    for one in pod.containers:
        options = one.security.selinux
        if options is None:
            continue
        if options.type not in SELINUX_TYPES:
            hint = f"use one of {', '.join(SELINUX_TYPES[1:])}, or leave it out; {PRIVILEGED}"
            yield Violation(context(one, "seLinuxOptions.type"), "SELinux", f"is {shown(options.type)}", hint)
        for field, value in (("user", options.user), ("role", options.role)):
            if value:
                path = context(one, f"seLinuxOptions.{field}")
                yield Violation(path, "SELinux", f"is {shown(value)}", f"leave it out; {PRIVILEGED}")


def proc_mount(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """/proc Mount Type: `securityContext.procMount` of each container is undefined or Default.

    runc masks a file of /proc by /dev/null as the container has it: in a volume on /dev that may be a link.
    """
    for one in pod.containers:
        if one.security.proc_unmasked:
            yield Violation(context(one, "procMount"), "/proc Mount Type", "is Unmasked", f"leave it out; {PRIVILEGED}")
        if not one.security.privileged and any(mount.path == "/dev" for mount in one.mounts):
            message = "has a volume on /dev, whose null could unmask files of /proc"
            hint = f"mount it elsewhere, also below /dev; {PRIVILEGED}"
            yield Violation(f"{one.path}.volumeMounts", "/proc Mount Type", message, hint)


def seccomp(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Seccomp: `seccompProfile.type` of the pod and of each container is undefined, RuntimeDefault or Localhost.

    A privileged container is never confined; it is a violation by itself.
    """
    for one in pod.containers:
        if one.security.seccomp == "Unconfined" and not one.security.privileged:
            hint = f"use RuntimeDefault, or leave it out; {PRIVILEGED}"
            yield Violation(context(one, "seccompProfile.type"), "Seccomp", "is Unconfined", hint)


def sysctls(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Sysctls: `spec.securityContext.sysctls[*].name` is one of SYSCTLS.

    [policy] sysctls allows others of the pod's own namespaces.
    """
    for index, (name, _) in enumerate(pod.sysctls):
        if name not in SYSCTLS and not any(_covers(allowed, name) for allowed in policy.sysctls):
            path = f"spec.securityContext.sysctls[{index}].name"
            hint = f"leave it out, or let the operator add it to sysctls of the role in [policy]; {PRIVILEGED}"
            yield Violation(path, "Sysctls", f"{shown(name)} is not one that harms no other pod", hint)


def _covers(allowed: str, name: str) -> bool:
    return name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed


CONTROLS: Final[tuple[Control, ...]] = (
    host_process, host_namespaces, privileged_containers, capabilities, host_path_volumes, host_ports, host_probes,
    app_armor, selinux, proc_mount, seccomp, sysctls,
)  # fmt: skip
"""In the order of the page."""
