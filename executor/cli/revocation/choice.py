"""How commands say which revocable pods they mean: the options, and the request's document made from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from executor import quantity
from executor.cli import complete
from executor.errors import InvalidTask

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--all", "everything", is_flag=True, help="Every revocable pod."),
    click.option(
        "--role",
        "roles",
        multiple=True,
        metavar="ROLE",
        help="Pods of this role and the roles below it.",
        shell_complete=complete.victim_roles,
    ),
    click.option(
        "--task", "tasks", multiple=True, metavar="ID", help="The pods of these tasks.", shell_complete=complete.victims
    ),
    click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Pods with all of these labels."),
    click.option("--reclaim-cpus", metavar="CPUS", help="Pods until so many cpus are free, and no more."),
    click.option("--reclaim-mem", metavar="SIZE", help="Pods until so much memory is free, such as 1Gi."),
)


def options(command: F) -> F:
    """The options that choose victims, for a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def request(chosen: dict[str, Any], *, all_without_choice: bool = False) -> dict[str, Any]:
    """The part of a request (executor.revocation.request) that these options make; takes them out of `chosen`.

    Raises a usage error for several of them, and for none, which can also mean every revocable pod.
    """
    everything, roles, tasks = chosen.pop("everything"), list(chosen.pop("roles")), list(chosen.pop("tasks"))
    select = {"all": everything, "roles": roles, "tasks": tasks, "labels": _labels(chosen.pop("labels"))}
    select = {key: value for key, value in select.items() if value}
    reclaim = _reclaim(chosen.pop("reclaim_cpus"), chosen.pop("reclaim_mem"))
    if not select and not reclaim and all_without_choice:
        select = {"all": True}
    if len(select) + bool(reclaim) != 1:
        raise click.UsageError("choose victims by exactly one of --all, --role, --task, --label and --reclaim-...")
    return {"reclaim": reclaim} if reclaim else {"select": select}


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--label")
        labels[key] = value
    return labels


def _reclaim(cpus: str | None, mem: str | None) -> dict[str, Any]:
    amounts: dict[str, Any] = {}
    try:
        if cpus is not None:
            amounts["cpus"] = quantity.cores(cpus, subject="--reclaim-cpus")
        if mem is not None:
            amounts["mem"] = quantity.size(mem, subject="--reclaim-mem")
    except InvalidTask as error:
        raise click.BadParameter(error.message, param_hint=error.subject) from error
    return amounts
