"""The command line and the environment that a container's process starts with. Pure.

Source: Kubernetes' "Define a command and arguments for a container".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from executor.errors import ImageFailure, InvalidTask
from executor.spec.expansion import POD_MAX_BYTES, Budget, expanded, size_bytes
from executor.spec.model import ContainerSpec, PodSpec, RuntimeField, TakenText
from executor.spec.probes import Exec

if TYPE_CHECKING:
    from executor.images.model import ImageConfig

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def own_variables(
    container: ContainerSpec, downward: Mapping[str, str], budget: Budget | None = None
) -> dict[str, str]:
    """The container's own variables, with references to earlier ones filled in. Raises InvalidTask, also where they
    grow above `budget`.

    `downward` has the values of the fields that are known only on the node.
    """
    found: dict[str, str] = {}
    budget = budget or Budget()
    for name, value in container.env:
        subject = f"container {container.name}, variable {name}"
        if isinstance(value, RuntimeField):
            if (text := _runtime(value, downward, subject)) or not value.optional:
                found[name] = text
            continue
        if isinstance(value, TakenText):
            budget.spend(size_bytes(f"{name}={value.text}"), subject)
            found[name] = value.text
            continue
        known = found if container.expand_variables else {}
        found[name] = _filled(value, known, container, budget, subject, prefix=f"{name}=")
    return found


def _filled(
    text: str, known: Mapping[str, str], container: ContainerSpec, budget: Budget, subject: str, *, prefix: str = ""
) -> str:
    if container.expand_variables:
        return expanded(text, known, budget, subject, prefix=prefix)
    budget.spend(size_bytes(prefix + text), subject)
    return text


def _runtime(field: RuntimeField, downward: Mapping[str, str], subject: str) -> str:
    if field.path not in downward:
        raise InvalidTask(f"{field.path} is not known for this pod", subject=subject)
    return downward[field.path]


def environment(own: Mapping[str, str], image: ImageConfig, hostname: str) -> list[str]:
    """`NAME=value` lines. Later wins: a default PATH, the image's, HOSTNAME, the container's own."""
    merged = {"PATH": DEFAULT_PATH, **dict(image.env), "HOSTNAME": hostname, **own}
    return [f"{name}={value}" for name, value in merged.items()]


def own_words(container: ContainerSpec, own: Mapping[str, str], budget: Budget | None = None) -> list[str]:
    """Its command and args, with references to its variables filled in. Raises InvalidTask above `budget`."""
    subject, budget = f"container {container.name}, command and args", budget or Budget()
    words = [*(container.command or ()), *(container.args or ())]
    for word in _other_words(container):
        budget.spend(size_bytes(word), f"container {container.name}, commands of probes and hooks")
    return [_filled(word, own, container, budget, subject) for word in words]


def _other_words(container: ContainerSpec) -> list[str]:
    """The words of commands that run in it beside its own."""
    probes = [probe.action for _, probe in container.probes]
    actions = [*probes, container.hooks.post_start, container.hooks.pre_stop]
    return [word for action in actions if isinstance(action, Exec) for word in action.command]


def argv(
    container: ContainerSpec, image: ImageConfig, own: Mapping[str, str], budget: Budget | None = None
) -> list[str]:
    """A command replaces ENTRYPOINT and CMD, args replace CMD. Raises ImageFailure if nothing is left to run, and
    InvalidTask above `budget`.
    """
    words = own_words(container, own, budget)
    if container.command:
        return words
    return [*(image.entrypoint or ()), *words] if words else _of_image(container, image)


def check_size(pod: PodSpec) -> None:
    """Whether the command, args and env of each container, and of all together, can become processes. Raises
    InvalidTask. What only the node knows is left out: it is short.
    """
    left_bytes = POD_MAX_BYTES
    for container in pod.containers:
        env = tuple((name, value) for name, value in container.env if not isinstance(value, RuntimeField))
        budget = Budget()
        own_words(container, own_variables(replace(container, env=env), {}, budget), budget)
        left_bytes -= budget.used_bytes
        if left_bytes < 0:
            message = f"command, args and env of all containers are larger than {POD_MAX_BYTES} bytes together"
            raise InvalidTask(message, subject=f"container {container.name}")


def check_process(args: list[str], env: list[str], subject: str) -> None:
    """With what the image adds. Raises InvalidTask."""
    budget = Budget()
    for text in (*args, *env):
        budget.spend(size_bytes(text), subject)


def _of_image(container: ContainerSpec, image: ImageConfig) -> list[str]:
    words = [*(image.entrypoint or ()), *(image.cmd or ())]
    if not words:
        hint = "give the container a command"
        raise ImageFailure("has neither ENTRYPOINT nor CMD", subject=f"image {container.image}", hint=hint)
    return words
