"""Finding one pod among the executors of this node, and one container in it, for the commands that take them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from executor.cli.executors.client import Client, segment
from executor.cli.exits import Unreachable
from executor.cli.history import former
from executor.cli.pods import status
from executor.cli.printing import output
from executor.cli.session import Session
from executor.errors import InvalidRequest, NotFound

_END_S: Final = 10.0
_POLL_S: Final = 0.2


def find(session: Session, name: str) -> tuple[Client, dict[str, Any]]:
    """The pod with this id, prefix of an id, task id or name, and its executor.

    Raises NotFound if no executor has it or none runs, and a usage error if several have.
    """
    silent: list[Unreachable] = []
    found = list(answers(session.some(), f"/v1/pods/{segment(name)}", silent))
    if len(found) > 1:
        pods = ", ".join(f"{pod['pod']} of executor {client.id}" for client, pod in found)
        raise click.UsageError(f"{name} is not unique: {pods}")
    if not found:
        if silent:
            raise silent[0]
        raise NotFound(
            "no such pod on this node",
            subject=name,
            hint="see mesos-pod-executor ps --all; describe, why and logs know dead executors' pods,"
            " why knows a launch that was refused",
        )
    return found[0]


def answers(clients: Iterable[Client], path: str, silent: list[Unreachable]) -> Iterator[tuple[Client, dict[str, Any]]]:
    """The document at `path` of each executor that has it; those that do not answer are added to `silent`. Raises a
    usage error for a text that fits several.
    """
    for client in clients:
        try:
            yield client, client.get(path)
        except NotFound:
            continue
        except InvalidRequest as error:
            raise click.UsageError(f"{error.subject}: {error.message}; {error.hint}") from error
        except Unreachable as error:
            silent.append(error)


def living(session: Session, name: str) -> tuple[Client, dict[str, Any]]:
    """As `find`. The NotFound of a pod whose executor is dead or has ended says what became of it."""
    client, document = find_known(session, name)
    if client is None:
        became = f"{document['state']} {status.reason(document)}".rstrip()
        hint = f"nothing is left to end; mesos-pod-executor why {document['pod']}"
        raise NotFound(f"has no executor any more: {became}", subject=f"pod {status.name(document)}", hint=hint)
    return client, document


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


def wait_ended(session: Session, pod: str, error: Unreachable) -> dict[str, Any]:
    """The record of a pod whose executor does not answer any more, because it ended with this pod, its last one.

    Waits some seconds for it. Raises `error` if the pod has not ended after that, and Failure.
    """
    deadline_s = time.monotonic() + _END_S
    while True:
        if (found := former.find(session, pod)) and found["state"] == "ended":
            return found
        if time.monotonic() > deadline_s:
            raise error
        time.sleep(_POLL_S)


def container(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The pod's container of this name. If the name is empty: the only one that is neither an init container nor a
    sidecar, which is named on stderr where there are others.

    Raises NotFound, and a usage error where there are several to choose from.
    """
    containers: list[dict[str, Any]] = document.get("containers", [])
    names = ", ".join(output.clean(each["name"]) for each in containers)
    main = [each for each in containers if "kind" not in each]
    if not name and len(containers) > 1 and len(main) == 1:
        output.note(f"container {output.clean(main[0]['name'])}, of: {names}")
        return main[0]
    if not name and len(containers) > 1:
        raise click.UsageError(f"{document['pod']} has several containers, name one: {names}")
    for each in containers:
        if name in ("", each["name"]):
            return each
    raise NotFound("no such container", subject=f"{document['pod']}/{name}", hint=f"it has: {names or 'none'}")
