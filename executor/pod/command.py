"""The command line and the environment that a container's process starts with. Pure.

Source: Kubernetes' "Define a command and arguments for a container" and its expansion of `$(NAME)`
(third_party/forked/golang/expansion/expand.go).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from executor.errors import ImageFailure, InvalidTask
from executor.pod.spec import ContainerSpec, RuntimeField

if TYPE_CHECKING:
    from executor.containerd.types import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` is the variable, `$$` a `$`; an unknown name and everything else stays as it is."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return "$" if name is None else variables.get(name, match.group())

    return _REFERENCE.sub(value, text)


def own_variables(container: ContainerSpec, downward: Mapping[str, str]) -> dict[str, str]:
    """The container's own variables, with references to earlier ones filled in. Raises InvalidTask.

    `downward` has the values of the fields that are known only on the node.
    """
    found: dict[str, str] = {}
    for name, value in container.env:
        if isinstance(value, RuntimeField):
            found[name] = _runtime(value, downward, container, name)
        else:
            found[name] = expand(value, found) if container.expand_variables else value
    return found


def _runtime(field: RuntimeField, downward: Mapping[str, str], container: ContainerSpec, name: str) -> str:
    if field.path not in downward:
        subject = f"container {container.name}, variable {name}"
        raise InvalidTask(f"{field.path} is not known for this pod", subject=subject)
    return downward[field.path]


def environment(own: Mapping[str, str], image: ImageConfig, hostname: str) -> list[str]:
    """`NAME=value` lines. Later wins: a default PATH, the image's, HOSTNAME, the container's own."""
    merged = {"PATH": DEFAULT_PATH, **dict(image.env), "HOSTNAME": hostname, **own}
    return [f"{name}={value}" for name, value in merged.items()]


def argv(container: ContainerSpec, image: ImageConfig, own: Mapping[str, str]) -> list[str]:
    """A command replaces ENTRYPOINT and CMD, args replace CMD. Raises ImageFailure if nothing is left to run."""
    words = [*(container.command or ()), *(container.args or ())]
    if container.expand_variables:
        words = [expand(word, own) for word in words]
    if container.command:
        return words
    return [*(image.entrypoint or ()), *words] if words else _of_image(container, image)


def _of_image(container: ContainerSpec, image: ImageConfig) -> list[str]:
    words = [*(image.entrypoint or ()), *(image.cmd or ())]
    if not words:
        mend = "give the container a command"
        raise ImageFailure("has neither ENTRYPOINT nor CMD", subject=f"image {container.image}", mend=mend)
    return words
