"""Which executors of a node a revocation is for, where there are several, and how their answers are shown: a pair has
one executor for each class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from executor.cli.executors.client import Client
from executor.cli.printing import output, units
from executor.cli.session import Session
from executor.errors import ExecutorError


def fitting(session: Session, body: Mapping[str, Any], *, all_if_none: bool = False) -> list[Client]:
    """Those that `body`, a request for a revocation, would take something from, as a dry run of each says. If it is
    none: the first one, or with `all_if_none` each that can do it. Raises NotFound, Unreachable; what the executors
    answer, if none of them can do it; a usage error for an amount that several could give.
    """
    clients = session.some()
    if len(clients) == 1:
        return clients
    found, able, errors = list[Client](), list[Client](), list[ExecutorError]()
    asked = {key: value for key, value in body.items() if key != "id"} | {"dry_run": True}
    for client in clients:
        try:
            receipt = client.post("/v1/revocations", asked, timeout_s=None)
        except ExecutorError as error:
            errors.append(error)
            continue
        able.append(client)
        if receipt.get("victims"):
            found.append(client)
    if not able:
        raise errors[0]
    if "reclaim" in body and len(found) > 1:
        named = ", ".join(each.title for each in session.look())
        raise click.UsageError(f"several executors could give this; choose one by --executor: {named}")
    return found or (able if all_if_none else able[:1])


def show(
    clients: Sequence[Client],
    answers: Sequence[Mapping[str, Any]],
    one: Callable[[dict[str, Any]], None],
    *,
    as_json: bool,
    key: str,
) -> None:
    """What each of them answered, by `one`; as JSON the only answer, or all of them in a list called `key`."""
    pairs = list(zip(clients, map(dict, answers), strict=True))
    if as_json:
        named = [{"mesos_container": client.id, **answer} for client, answer in pairs]
        output.json_document(pairs[0][1] if len(pairs) == 1 else {key: named})
        return
    for client, answer in pairs:
        if len(pairs) > 1:
            output.line(f"executor {client.id}:")
        one(answer)


def would_free(freed: Mapping[str, Any]) -> str:
    """What a revocation would free; how much of the memory the kernel gives back with the last process is not known."""
    size_bytes = freed.get("mem_bytes", 0)
    return f"{freed.get('cpus', 0):g} cpus, {'up to ' if size_bytes else ''}{units.size(size_bytes)}"
