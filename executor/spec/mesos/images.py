"""The image of a task without a pod in its data: its name, when it is pulled, and with which credentials. Pure.

Source: include/mesos/v1/mesos.proto (Image.cached, Image.Docker.config, ContainerInfo.DockerInfo.force_pull_image).
"""

from __future__ import annotations

from collections.abc import Sequence

from executor.errors import InvalidConfig, InvalidTask
from executor.images.model import NODE_ROOT
from executor.images.policy import PullPolicy
from executor.images.registry.credentials import Credential, parse_docker_config
from executor.spec import checks as common
from executor.spec.mesos import secrets
from executor.spec.mesos.message import Secret
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.model import Policy


def image(info: TaskInfo, policy: Policy, path: str) -> tuple[str, PullPolicy]:
    """Its name, and the policy that Mesos' fields come to. Without one the task runs on the node's own file system, if
    the node has no default image. Raises InvalidTask.
    """
    container = info.container
    if container is not None and (docker := container.docker) is not None:
        name = common.image(docker.image, f"{path}.container.docker.image")
        return name, PullPolicy.ALWAYS if docker.force_pull_image else PullPolicy.IF_NOT_PRESENT
    if container is not None and container.mesos is not None and (found := container.mesos.image) is not None:
        if found.docker is None:
            raise InvalidTask("is missing", subject=f"{path}.container.mesos.image.docker")
        name = common.image(found.docker.name, f"{path}.container.mesos.image.docker.name")
        return name, PullPolicy.IF_NOT_PRESENT if found.cached else PullPolicy.ALWAYS
    return policy.default_image or NODE_ROOT, PullPolicy.IF_NOT_PRESENT


def credentials(infos: Sequence[TaskInfo], paths: Sequence[str]) -> tuple[Credential, ...]:
    """The credentials of all tasks of a group. Raises InvalidTask, never with a part of a secret."""
    found: list[Credential] = []
    for info, path in zip(infos, paths, strict=True):
        mesos = None if info.container is None else info.container.mesos
        docker = None if mesos is None or mesos.image is None else mesos.image.docker
        if docker is not None and docker.config is not None:
            found += _parsed(docker.config, f"{path}.container.mesos.image.docker.config")
    return tuple(found)


def _parsed(secret: Secret, path: str) -> tuple[Credential, ...]:
    text = secrets.content(secret, path)
    try:
        return parse_docker_config(text, subject=f"{path}.value.data")
    except InvalidConfig as error:  # its message has no part of the secret
        raise InvalidTask(error.message, subject=error.subject) from None
