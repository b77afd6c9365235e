"""Where a container of a Kubernetes v1 Pod finds a volume. Pure."""

from __future__ import annotations

from collections.abc import Collection

from executor.errors import InvalidTask
from executor.spec import checks as common
from executor.spec import volume_files
from executor.spec.kubernetes.container_documents import VolumeMount as KubernetesMount
from executor.spec.volume_model import Propagation, RecursiveReadOnly, VolumeMount


def mount(one: KubernetesMount, volumes: Collection[str], path: str, *, privileged: bool) -> VolumeMount:
    """`volumes` are the names of the pod's. Raises InvalidTask with a subject that begins with `path`."""
    if one.name not in volumes:
        raise InvalidTask(
            f"there is no volume {one.name[:80]!r}", subject=f"{path}.name", hint="add it to spec.volumes"
        )
    if one.sub_path and one.sub_path_expr:
        raise InvalidTask("has a subPath too", subject=f"{path}.subPathExpr", hint="give one of them")
    found = VolumeMount(
        volume=one.name,
        path=common.mount_path(_absolute(one.mount_path), f"{path}.mountPath"),
        read_only=one.read_only,
        sub_path=_sub_path(one, path),
        expands=bool(one.sub_path_expr),
        propagation=Propagation(one.mount_propagation or Propagation.NONE),
        recursive_read_only=RecursiveReadOnly(one.recursive_read_only or RecursiveReadOnly.DISABLED),
    )
    _check_propagation(found, path, privileged=privileged)
    return found


def _absolute(path: str) -> str:
    """As kubelet makes it (makeMounts in pkg/kubelet/kubelet_pods.go)."""
    return path if path.startswith("/") or not path else f"/{path}"


def _sub_path(one: KubernetesMount, path: str) -> str:
    """An expression is checked again when its variables are known."""
    if one.sub_path:
        return volume_files.relative(one.sub_path, f"{path}.subPath")
    return volume_files.relative(one.sub_path_expr, f"{path}.subPathExpr") if one.sub_path_expr else ""


def _check_propagation(found: VolumeMount, path: str, *, privileged: bool) -> None:
    """As in Kubernetes (pkg/apis/core/validation, validateMountPropagation and validateMountRecursiveReadOnly)."""
    if found.propagation is Propagation.BIDIRECTIONAL and not privileged:
        hint = "use HostToContainer"
        raise InvalidTask("Bidirectional is for privileged containers", subject=f"{path}.mountPropagation", hint=hint)
    if found.propagation is Propagation.BIDIRECTIONAL and found.sub_path:
        hint = "mount the whole volume: a part is mounted as a copy, from which no mount reaches the node"
        raise InvalidTask("Bidirectional is for whole volumes", subject=f"{path}.mountPropagation", hint=hint)
    if found.recursive_read_only is RecursiveReadOnly.DISABLED:
        return
    subject = f"{path}.recursiveReadOnly"
    if not found.read_only:
        raise InvalidTask("needs readOnly: true", subject=subject)
    if found.propagation is not Propagation.NONE:
        raise InvalidTask("needs mountPropagation None", subject=subject)
