"""The controls that the restricted level adds to those of baseline. Pure.

Each function is one row of the table "Restricted policy specification" of Kubernetes' page "Pod Security Standards".
A task without a pod in its data has none of these fields: it cannot pass this level.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from executor.config.role_policy import RolePolicy
from executor.policy.baseline import CAPABILITIES, Control, host_path_problem
from executor.policy.violation import Violation, context, is_of_tasks
from executor.spec import capabilities as names
from executor.spec.model import PodSpec

NET_BIND_SERVICE: Final = "CAP_NET_BIND_SERVICE"
_DESCRIBE: Final = "; a task has no such field: describe a pod in TaskInfo.data"


def volume_types(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Volume Types: each of `spec.volumes[*]` is a configMap, csi, downwardAPI, emptyDir, ephemeral,
    persistentVolumeClaim, projected or secret. hostPath is the executor's only kind that is none of them.

    [policy] host_paths and devices allow it, as for baseline, whose control reports what they do not.
    """
    for volume in pod.host_paths:
        if volume.is_root or host_path_problem(pod, volume, policy) is not None:
            hint = "use a claim, an emptyDir or a configMap"
            yield Violation(
                volume.field, "Volume Types", "is a hostPath, which the level restricted does not allow", hint
            )


def privilege_escalation(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Privilege Escalation (since 1.8): `securityContext.allowPrivilegeEscalation` of each container is false."""
    for one in pod.containers:
        if not one.security.no_new_privileges:
            hint = "set it to false" + _task(pod)
            yield Violation(
                context(one, "allowPrivilegeEscalation"), "Privilege Escalation", "is true, its default", hint
            )


def running_as_non_root(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Running as Non-root: `runAsNonRoot` is true, in the pod or in each container."""
    for one in pod.containers:
        if not one.security.run_as_non_root:
            hint = "set it to true, here or for the pod" + _task(pod)
            yield Violation(context(one, "runAsNonRoot"), "Running as Non-root", "is not true", hint)


def running_as_non_root_user(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Running as Non-root user (since 1.23): `runAsUser` of the pod and of each container is undefined or not 0."""
    for one in pod.containers:
        if one.security.run_as_user == 0:
            yield Violation(
                context(one, "runAsUser"), "Running as Non-root user", "is 0, which is root", "set another number"
            )


def seccomp(pod: PodSpec, _: RolePolicy) -> Iterator[Violation]:
    """Seccomp (since 1.19): `seccompProfile.type` is RuntimeDefault or Localhost, in the pod or in each container. The
    executor confines a container that names no profile too; the standard demands that it is written.
    """
    for one in pod.containers:
        if one.security.seccomp == "":
            hint = "set it to RuntimeDefault, here or for the pod" + _task(pod)
            yield Violation(context(one, "seccompProfile.type"), "Seccomp", "is not set", hint)


def capabilities(pod: PodSpec, policy: RolePolicy) -> Iterator[Violation]:
    """Capabilities (since 1.22): `capabilities.drop` of each container has ALL, `capabilities.add` at most
    NET_BIND_SERVICE. What baseline does not allow either is reported there.

    [policy] capabilities allows others.
    """
    allowed = {NET_BIND_SERVICE} | {f"CAP_{name}" for name in policy.capabilities}
    for one in pod.containers:
        if one.security.privileged:
            continue
        if names.ALL not in one.security.drop_capabilities:
            hint = "drop ALL" + _task(pod)
            yield Violation(context(one, "capabilities.drop"), "Capabilities", "does not have ALL", hint)
        beyond = [name for name in one.security.add_capabilities if name in CAPABILITIES and name not in allowed]
        if beyond:
            message = f"asks for {', '.join(name.removeprefix('CAP_') for name in beyond)}"
            hint = "add NET_BIND_SERVICE only, or let the operator add others to capabilities of the role in [policy]"
            yield Violation(context(one, "capabilities.add"), "Capabilities", message, hint)


def _task(pod: PodSpec) -> str:
    return _DESCRIBE if is_of_tasks(pod) else ""


CONTROLS: Final[tuple[Control, ...]] = (
    volume_types, privilege_escalation, running_as_non_root, running_as_non_root_user, seccomp, capabilities,
)  # fmt: skip
"""In the order of the page."""
