"""The security contexts of a Kubernetes v1 Pod and its containers. Pure.

Confinement that a container asks for is given or refused, also where it is asked for in annotations, as before
Kubernetes 1.19 (seccomp) and 1.30 (AppArmor).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from executor.errors import InvalidTask
from executor.spec import capabilities
from executor.spec import checks as common
from executor.spec.faults import Faults
from executor.spec.kubernetes.container_documents import SecurityContext, SeLinuxOptions
from executor.spec.kubernetes.documents import PodSecurityContext, PodSpec, Sysctl
from executor.spec.marks import shown
from executor.spec.model import Security, SeLinux

_SECCOMP_POD: Final = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP: Final = "container.seccomp.security.alpha.kubernetes.io/"
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES: Final = {
    "runtime/default": "RuntimeDefault",
    "docker/default": "RuntimeDefault",
    "unconfined": "Unconfined",
    "": "",
}
_SYSCTL: Final = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9][-_.a-z0-9]*")
_SYSCTL_MAX: Final = 253
_IPC: Final = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_MQUEUE, _NETWORK = "fs.mqueue.", "net."
"""What is of an IPC or a network namespace (ipc_namespaces(7), network_namespaces(7)); all else is of the node."""
_NOT_HERE: Final = "the executor has no profile of its own for it"


def security(
    own: SecurityContext,
    shared: PodSecurityContext,
    annotations: Mapping[str, str],
    name: str,
    path: str,
) -> Security:
    """A container's own context wins over its pod's, field by field; both win over an annotation."""
    faults = Faults()
    profile = own.seccomp_profile or shared.seccomp_profile
    run_as_user = shared.run_as_user if own.run_as_user is None else own.run_as_user
    non_root = shared.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    if non_root and run_as_user == 0:
        faults.add(InvalidTask("runAsUser is 0, and that is root", subject=f"{path}.runAsNonRoot"))
    _check_escalation(own, path, faults)
    added = faults.of((), capabilities.named, own.capabilities.add, f"{path}.capabilities.add")
    seccomp = profile.type if profile is not None else _annotated(annotations, name, faults)
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
        seccomp="Unconfined" if own.privileged else seccomp,
        app_armor=_app_armor(own, shared, annotations, name),
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


def _app_armor(own: SecurityContext, shared: PodSecurityContext, annotations: Mapping[str, str], name: str) -> str:
    """Only Unconfined passes the reading of the fields and of the annotation."""
    profiles = [each.app_armor_profile for each in (own, shared) if isinstance(each.app_armor_profile, dict)]
    asked = any(profile.get("type") == "Unconfined" for profile in profiles)
    return "Unconfined" if asked or annotations.get(f"{_APPARMOR}{name}") == "unconfined" else ""


def _annotated(annotations: Mapping[str, str], name: str, faults: Faults) -> str:
    """The seccomp profile that a pod asks for in an annotation, its container's first."""
    for key in (f"{_SECCOMP}{name}", _SECCOMP_POD):
        if key in annotations:
            return faults.of("", _seccomp, annotations[key], _subject(key))
    return ""


def _seccomp(text: str, subject: str) -> str:
    if text not in _PROFILES:
        hint = "use runtime/default or unconfined"
        raise InvalidTask(f"{shown(text)!r}: {_NOT_HERE}", subject=subject, hint=hint)
    return _PROFILES[text]


def check_annotations(annotations: Mapping[str, str], containers: Sequence[str], faults: Faults) -> None:
    """AppArmor's: for no profile only, and for containers that there are."""
    for key, text in annotations.items():
        prefix = next((prefix for prefix in (_APPARMOR, _SECCOMP) if key.startswith(prefix)), None)
        if prefix is None:
            continue
        if key.removeprefix(prefix) not in containers:
            faults.add(InvalidTask("names no container of the pod", subject=_subject(key)))
        elif prefix == _APPARMOR and text not in ("", "unconfined"):
            hint = "use unconfined, or leave it out"
            faults.add(InvalidTask(f"{shown(text)!r}: {_NOT_HERE}", subject=_subject(key), hint=hint))


def _subject(key: str) -> str:
    return f"metadata.annotations['{shown(key)}']"


def sysctls(spec: PodSpec, faults: Faults) -> tuple[tuple[str, str], ...]:
    """Names with dots, and their values."""
    listed, path = spec.security_context.sysctls, "spec.securityContext.sysctls"
    keys = ((f"{path}[{index}].name", one.name.replace("/", ".")) for index, one in enumerate(listed))
    faults.check(common.unique, keys)
    return faults.items(lambda one, at: _sysctl(one, at, spec), listed, path)


def _sysctl(one: Sysctl, path: str, spec: PodSpec) -> tuple[str, str]:
    name = one.name.replace("/", ".")
    if len(name) > _SYSCTL_MAX or not _SYSCTL.fullmatch(one.name):
        raise InvalidTask(f"{shown(one.name)!r} is no name of a sysctl", subject=f"{path}.name")
    of_ipc = name in _IPC or name.startswith(_MQUEUE)
    if not of_ipc and not name.startswith(_NETWORK):
        hint = f"a pod has its own of these: {_NETWORK}*, {_MQUEUE}*, {', '.join(sorted(_IPC))}"
        raise InvalidTask(f"{shown(name)} is one of the whole node", subject=f"{path}.name", hint=hint)
    if spec.host_network and name.startswith(_NETWORK):
        raise InvalidTask("the node's network has the node's", subject=f"{path}.name")
    if spec.host_ipc and of_ipc:
        raise InvalidTask("the node's IPC objects have the node's", subject=f"{path}.name")
    return name, one.value
