"""Finding one pod among the executors of this node, and one container in it, for the commands that take them."""

from __future__ import annotations

from typing import Any

import click

from executor.cli.executors.client import Client, segment
from executor.cli.exits import Unreachable
from executor.cli.history import former
from executor.cli.printing import output
from executor.cli.session import Session
from executor.errors import InvalidRequest, NotFound


def find(session: Session, name: str) -> tuple[Client, dict[str, Any]]:
    """The pod with this id, prefix of an id, task id or name, and its executor.

    Raises NotFound if no executor has it or none runs, and a usage error if several have.
    """
    found: list[tuple[Client, dict[str, Any]]] = []
    silent: list[Unreachable] = []
    for client in session.some():
        try:
            found.append((client, client.get(f"/v1/pods/{segment(name)}")))
        except NotFound:
            continue
        except InvalidRequest as error:  # the text fits several
            raise click.UsageError(f"{error.subject}: {error.message}; {error.hint}") from error
        except Unreachable as error:
            silent.append(error)
    if len(found) > 1:
        pods = ", ".join(f"{pod['pod']} of executor {client.id}" for client, pod in found)
        raise click.UsageError(f"{name} is not unique: {pods}")
    if not found:
        if silent:
            raise silent[0]
        raise NotFound(
            "no such pod on this node",
            subject=name,
            hint="see mesos-pod-executor ps --all; describe, why and logs know dead executors' pods",
        )
    return found[0]


def find_known(session: Session, name: str) -> tuple[Client | None, dict[str, Any]]:
    """As `find`; a pod that no executor has may be one of a dead or an ended one, which has no client. Raises Failure
    too.
    """
    try:
        return find(session, name)
    except (NotFound, Unreachable):
        if (found := former.find(session, name)) is None:
            raise
        return None, found


def container(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The pod's container of this name, or its only one if the name is empty.

    Raises NotFound, and a usage error where there are several to choose from.
    """
    containers: list[dict[str, Any]] = document.get("containers", [])
    names = ", ".join(output.clean(each["name"]) for each in containers)
    if not name and len(containers) > 1:
        raise click.UsageError(f"{document['pod']} has several containers, name one: {names}")
    for each in containers:
        if name in ("", each["name"]):
            return each
    raise NotFound("no such container", subject=f"{document['pod']}/{name}", hint=f"it has: {names or 'none'}")
