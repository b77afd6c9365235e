"""What a shell may offer for an argument: pods, containers, roles, tasks and executors of this node.

A completion that fails offers nothing and says nothing, for it is typed into the middle of a line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from executor.cli.executors.client import clients
from executor.cli.session import Session
from executor.errors import ExecutorError

Items = list[CompletionItem]


def pods(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """By name, and by id where the word begins like one."""
    found: Items = []
    for pod in _pods(context):
        names = (pod["pod"],) if incomplete.startswith("pod-") else (pod["name"], pod["pod"])
        found += [CompletionItem(name, help=f"{pod['class']} {pod['state']}") for name in names]
    return _matching(found, incomplete)


def containers(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Of the pod that stands before it, else of all."""
    wanted = context.params.get("pod") or ""
    found = [
        CompletionItem(each["name"], help=each["state"])
        for pod in _pods(context)
        if wanted in ("", pod["pod"], pod["name"], *pod["tasks"])
        for each in pod["containers"]
    ]
    return _matching(found, incomplete)


def tasks(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Mesos task ids of pods that run."""
    found = [CompletionItem(task, help=pod["name"]) for pod in _pods(context) for task in pod["tasks"]]
    return _matching(found, incomplete)


def roles(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Roles of pods that run."""
    return _matching([CompletionItem(role) for role in sorted({pod["role"] for pod in _pods(context)})], incomplete)


def executor_ids(context: click.Context, _: click.Parameter, incomplete: str) -> Items:
    """Ids of executors' Mesos containers."""
    with contextlib.suppress(ExecutorError):
        return _matching([CompletionItem(each.id) for each in clients(_session(context).run_dir)], incomplete)
    return []


def _pods(context: click.Context) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(ExecutorError):
        session = _session(context)
        for client in clients(session.run_dir):
            if not client.id.startswith(session.executor):
                continue
            with contextlib.suppress(ExecutorError):
                yield from client.get("/v1/pods")["pods"]


def _session(context: click.Context) -> Session:
    """From the options on the line so far: no command has run that could have made one."""
    options = context.find_root().params
    return Session(options.get("executor") or "", options.get("run_dir") or "", options.get("config") or "")


def _matching(items: Items, incomplete: str) -> Items:
    found = {item.value: item for item in items if item.value.startswith(incomplete)}
    return list(found.values())
