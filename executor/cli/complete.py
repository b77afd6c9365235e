"""What a shell may offer for an argument: pods, containers, roles, tasks and executors of this node.

A completion that fails offers nothing and says nothing, for it is typed into the middle of a line.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from executor.cli.executors.client import clients
from executor.cli.session import Session
from executor.errors import ExecutorError
from executor.node import claims

Items = list[CompletionItem]
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./:@%+=-]*")
"""Nothing that bash, zsh or fish give a meaning."""


def pods(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """By name, and by id where the word begins like one."""
    return _named(look(context), incomplete)


def all_pods(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """As `pods`, with those that ended lately."""
    return _named(look(context, ended=True), incomplete)


def _named(pods: Iterable[dict[str, Any]], incomplete: str) -> Items:
    """Task ids too, once a word has begun."""
    found: Items = []
    for pod in pods:
        names = (pod["pod"],) if incomplete.startswith("pod-") else (pod["name"], pod["pod"])
        tasks = pod["tasks"] if incomplete else ()
        found += [CompletionItem(name, help=f"{pod['class']} {pod['state']}") for name in (*names, *tasks)]
    return matching(found, incomplete)


def containers(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """The containers of the pod that stands before it, else of all."""
    wanted = context.params.get("pod") or "".join((context.params.get("pods") or ())[-1:])
    found = [
        CompletionItem(each["name"], help=each["state"])
        for pod in look(context)
        if wanted in ("", pod["pod"], pod["name"], *pod["tasks"])
        for each in pod["containers"]
    ]
    return matching(found, incomplete)


def known(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """All that `why` takes: task ids, names and ids of pods that run or ended lately, as `ps --all` shows them."""
    found = [
        CompletionItem(text, help=f"{pod['class']} {pod['state']}")
        for pod in look(context, ended=True)
        for text in (*pod["tasks"], pod["name"], f"{pod['namespace']}/{pod['name']}", pod["pod"])
        if incomplete or text in pod["tasks"]
    ]
    return matching(found, incomplete)


def ended(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Pods that ended lately."""
    pods = [pod for pod in look(context, ended=True) if pod["state"] == "ended"]
    return matching([CompletionItem(pod["pod"], help=pod["name"]) for pod in pods], incomplete)


def victims(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Mesos task ids of revocable pods that run."""
    pods = [pod for pod in look(context) if pod["class"] == "revocable"]
    return matching([CompletionItem(task, help=pod["name"]) for pod in pods for task in pod["tasks"]], incomplete)


def victim_roles(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Roles of revocable pods that run."""
    found = {pod["role"] for pod in look(context) if pod["class"] == "revocable"}
    return matching([CompletionItem(role) for role in sorted(found)], incomplete)


def revocations(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Ids of revocations that executors know, the newest first."""
    found: Items = []
    with contextlib.suppress(ExecutorError):
        for client in clients(_session(context).run_dir):
            with contextlib.suppress(ExecutorError):
                receipts = client.get("/v1/revocations")["revocations"]
                found += [CompletionItem(each["id"], help=each["state"]) for each in reversed(receipts)]
    return matching(found, incomplete)


def roles(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Roles of pods that run."""
    return matching([CompletionItem(role) for role in sorted({pod["role"] for pod in look(context)})], incomplete)


def namespaces(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Namespaces of pods that run."""
    return matching([CompletionItem(name) for name in sorted({pod["namespace"] for pod in look(context)})], incomplete)


def executor_ids(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """ExecutorIDs, as `ps` shows them, and ids of executors' Mesos containers."""
    with contextlib.suppress(ExecutorError):
        run_dir = _session(context).run_dir
        names, there = _executor_ids(run_dir), clients(run_dir)
        found = [CompletionItem(name, help=each.id) for each in there if (name := names.get(each.id))]
        return matching([*found, *(CompletionItem(each.id) for each in there)], incomplete)
    return []


def _executor_ids(run_dir: Path) -> dict[str, str]:
    """By container; of those whose owner file can be read."""
    return {owner.container: owner.mesos.executor_id for owner in claims.listed(run_dir)}


def look(context: click.Context, *, ended: bool = False) -> Iterator[dict[str, Any]]:
    """The pods of the executors meant so far; with `ended` also those that ended lately."""
    with contextlib.suppress(ExecutorError):
        session = _session(context)
        there = clients(session.run_dir)
        names = _executor_ids(session.run_dir) if session.executor else {}
        chosen = session.meant({client.id: names.get(client.id, "") for client in there})
        for client in there:
            if client.id not in chosen:
                continue
            with contextlib.suppress(ExecutorError):
                yield from client.get("/v1/pods", **({"all": 1} if ended else {}))["pods"]


def _session(context: click.Context) -> Session:
    """From the options on the line so far: no command has run that could have made one."""
    options = context.find_root().params
    return Session(options.get("executor") or "", options.get("run_dir") or "", options.get("config") or "")


def matching(items: Items, incomplete: str) -> Items:
    """Those that the word can become, each once. A word that a shell would expand or run is not offered: shells put it
    into the line as it is, and its name is a framework's choice.
    """
    found = {
        item.value: item
        for item in items
        if item.value.startswith(incomplete)
        and _PLAIN.fullmatch(item.value)
        and _PLAIN.fullmatch((item.help or "-").replace(" ", "-"))
    }
    return list(found.values())
