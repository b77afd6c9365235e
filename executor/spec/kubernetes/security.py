"""The security contexts of a Kubernetes v1 Pod and its containers. Pure.

Confinement that a container asks for is given or refused (confinement.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from executor.errors import InvalidTask
from executor.spec import capabilities
from executor.spec import checks as common
from executor.spec.kubernetes import confinement
from executor.spec.kubernetes.container_documents import SecurityContext, SeLinuxOptions
from executor.spec.kubernetes.pod_documents import PodSecurityContext, PodSpec, Sysctl
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import shown
from executor.spec.security_model import Security, SeLinux

_SYSCTL: Final = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9][-_.a-z0-9]*")
_SYSCTL_MAX: Final = 253
_IPC: Final = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_MQUEUE, _NETWORK = "fs.mqueue.", "net."
"""What is of an IPC or a network namespace (ipc_namespaces(7), network_namespaces(7)); all else is of the node."""


def security(
    own: SecurityContext,
    shared: PodSecurityContext,
    annotations: Mapping[str, str],
    name: str,
    path: str,
) -> Security:
    """A container's own context wins over its pod's, field by field; both win over an annotation."""
    faults = Faults()
    run_as_user = shared.run_as_user if own.run_as_user is None else own.run_as_user
    non_root = shared.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    if non_root and run_as_user == 0:
        faults.add(InvalidTask("runAsUser is 0, and that is root", subject=f"{path}.runAsNonRoot"))
    _check_escalation(own, path, faults)
    added = faults.of((), capabilities.named, own.capabilities.add, f"{path}.capabilities.add")
    seccomp = confinement.seccomp(own, shared, annotations, name, path, faults)
    app_armor = confinement.app_armor(own, shared, annotations, name, path, faults)
    made = Security(
        run_as_user=run_as_user,
        run_as_group=shared.run_as_group if own.run_as_group is None else own.run_as_group,
        run_as_non_root=bool(non_root),
        supplemental_groups=_groups(shared),
        read_only_root=own.read_only_root_filesystem,
        no_new_privileges=not own.allow_privilege_escalation,
        add_capabilities=(capabilities.ALL,) if own.privileged else added,
        drop_capabilities=faults.of((), capabilities.named, own.capabilities.drop, f"{path}.capabilities.drop"),
        privileged=own.privileged,
        proc_unmasked=own.proc_mount == "Unmasked",
        selinux=_selinux(own.se_linux_options or shared.se_linux_options),
        seccomp="Unconfined" if own.privileged else seccomp.kind,
        seccomp_file="" if own.privileged else seccomp.name,
        app_armor=app_armor.kind,
        app_armor_profile="" if own.privileged else app_armor.name,
        host_process=any(each.windows_options.get("hostProcess") is True for each in (own, shared)),
    )
    faults.end()
    return made


def _groups(shared: PodSecurityContext) -> tuple[int, ...]:
    """The group of the pod's volumes is one of each process."""
    return shared.supplemental_groups + (() if shared.fs_group is None else (shared.fs_group,))


def _check_escalation(own: SecurityContext, path: str, faults: Faults) -> None:
    """CAP_SYS_ADMIN can do what no_new_privs forbids (validateSecurityContext)."""
    asked = {name.upper().removeprefix("CAP_") for name in own.capabilities.add}
    wanted = "is privileged" if own.privileged else "asks for SYS_ADMIN" if "SYS_ADMIN" in asked else ""
    if wanted and not own.allow_privilege_escalation:
        message = f"is false, and the container {wanted}"
        faults.add(InvalidTask(message, subject=f"{path}.allowPrivilegeEscalation"))


def check_host(spec: PodSpec, faults: Faults) -> None:
    """That what the pod says of processes does not contradict itself."""
    if spec.share_process_namespace and spec.host_pid:
        message = "the pod has the node's processes: hostPID"
        faults.add(InvalidTask(message, subject="spec.shareProcessNamespace"))


def _selinux(options: SeLinuxOptions | None) -> SeLinux | None:
    return None if options is None else SeLinux(options.user, options.role, options.type, options.level)


def sysctls(spec: PodSpec, faults: Faults) -> tuple[tuple[str, str], ...]:
    """Names with dots, and their values."""
    listed, path = spec.security_context.sysctls, "spec.securityContext.sysctls"
    keys = ((f"{path}[{index}].name", one.name.replace("/", ".")) for index, one in enumerate(listed))
    faults.check(common.unique, keys)
    return faults.items(lambda one, at: _sysctl(one, at, spec), listed, path)


def _sysctl(one: Sysctl, path: str, spec: PodSpec) -> tuple[str, str]:
    name = one.name.replace("/", ".")
    if len(name) > _SYSCTL_MAX or not _SYSCTL.fullmatch(one.name):
        raise InvalidTask(f"{shown(one.name)!r} is not a name of a sysctl", subject=f"{path}.name")
    of_ipc = name in _IPC or name.startswith(_MQUEUE)
    if not of_ipc and not name.startswith(_NETWORK):
        hint = f"a pod has its own of these: {_NETWORK}*, {_MQUEUE}*, {', '.join(sorted(_IPC))}"
        raise InvalidTask(f"{shown(name)} is one of the whole node", subject=f"{path}.name", hint=hint)
    if spec.host_network and name.startswith(_NETWORK):
        raise InvalidTask("the node's network has the node's", subject=f"{path}.name")
    if spec.host_ipc and of_ipc:
        raise InvalidTask("the node's IPC objects have the node's", subject=f"{path}.name")
    return name, one.value
