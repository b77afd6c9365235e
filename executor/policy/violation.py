"""One violation of a policy, and where a pod has what policies restrict. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.errors import Forbidden
from executor.spec.model import ContainerSpec, PodSpec


@dataclass(frozen=True)
class Violation:
    """`path` is the field of the pod's description. `control` is the name of the control in the standard, or the key of
    [policy] that would allow it. `hint` says what makes the pod pass.
    """

    path: str
    control: str
    message: str
    hint: str

    @property
    def fault(self) -> Forbidden:
        """As validate and the status of the task show it."""
        return Forbidden(f"{self.message} [{self.control}]", subject=self.path, hint=self.hint)


def is_of_tasks(pod: PodSpec) -> bool:
    """Whether Mesos tasks describe the containers, and no Kubernetes pod does."""
    return not pod.containers[0].path.startswith("spec.")


def context(container: ContainerSpec, field: str) -> str:
    """The path of a field of the container's security context."""
    return f"{container.path}.securityContext.{field}"


def pod_path(pod: PodSpec, field: str) -> str:
    """The path of a field of `spec`; where tasks describe the pod, the field of the task that has this meaning."""
    if not is_of_tasks(pod):
        return f"spec.{field}"
    return f"{pod.containers[0].path}.{_OF_TASKS.get(field, 'container')}"


_OF_TASKS = {"hostNetwork": "container.docker.network"}
