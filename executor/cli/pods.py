"""Finding one pod among the executors of this node, for the commands that take a pod."""

from __future__ import annotations

from typing import Any

import click

from executor.cli.client import Client, segment
from executor.cli.exits import Unreachable
from executor.cli.session import Session
from executor.errors import NotFound


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
        except Unreachable as error:
            silent.append(error)
    if len(found) > 1:
        pods = ", ".join(f"{pod['pod']} of executor {client.id}" for client, pod in found)
        raise click.UsageError(f"{name} is not unique: {pods}")
    if not found:
        if silent:
            raise silent[0]
        raise NotFound("no such pod on this node", subject=name, mend="see mesos-pod-executor ps")
    return found[0]
