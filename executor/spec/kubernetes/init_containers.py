"""The init containers of a Kubernetes v1 Pod: what kind of container one is, and what it may not have. Pure.

Sources: Kubernetes, "Init Containers" and "Sidecar Containers"; pkg/apis/core/validation (validateInitContainers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from executor.errors import InvalidTask
from executor.spec.model import ContainerKind

if TYPE_CHECKING:
    from executor.spec.kubernetes.container_documents import InitContainer

_PROBES = {"liveness_probe": "livenessProbe", "readiness_probe": "readinessProbe", "startup_probe": "startupProbe"}
_HOOKS = {"post_start": "postStart", "pre_stop": "preStop"}


def kind(one: InitContainer, path: str) -> ContainerKind:
    """The kind of a container of `spec.initContainers`. Raises InvalidTask for a probe or hook of one that runs to its
    end.
    """
    if one.restart_policy == "Always":
        return ContainerKind.SIDECAR
    hint = "only a sidecar has one: an init container with restartPolicy Always"
    for name, written in _PROBES.items():
        if getattr(one, name) is not None:
            raise InvalidTask("is not for an init container", subject=f"{path}.{written}", hint=hint)
    for name, written in _HOOKS.items():
        if getattr(one.lifecycle, name) is not None:
            raise InvalidTask("is not for an init container", subject=f"{path}.lifecycle.{written}", hint=hint)
    return ContainerKind.INIT
