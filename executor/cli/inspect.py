"""`inspect`: everything the executor knows of one pod."""

from __future__ import annotations

from typing import Any

import click

from executor.cli import output
from executor.cli.pods import find
from executor.cli.session import Session, json_option, pass_session

_SHOWN_APART = frozenset({"containers"})


@click.command("inspect")
@click.argument("pod")
@json_option
@pass_session
def command(session: Session, pod: str, *, as_json: bool) -> None:
    """Show one pod: POD is its id or the beginning of it, a task id, or its name."""
    _, document = find(session, pod)
    if as_json:
        output.json_document(document)
        return
    output.fields((key, _flat(value)) for key, value in document.items() if key not in _SHOWN_APART)
    output.line("")
    output.table(
        ("container", "state", "pid", "exit", "restarts", "image", "stdout", "stderr"),
        (_row(container) for container in document.get("containers", [])),
    )


def _row(container: dict[str, Any]) -> tuple[object, ...]:
    logs = container.get("log") or {}
    keys = ("name", "state", "pid", "exit_code", "restarts", "image")
    return (*(container.get(key) for key in keys), logs.get("stdout"), logs.get("stderr"))


def _flat(value: object) -> object:
    if isinstance(value, dict):
        return [f"{key}={each}" for key, each in value.items()]
    return value
