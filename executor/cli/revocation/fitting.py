"""Which executors of a node a revocation is for, where there are several: a pair has one for each class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from executor.cli.executors.client import Client
from executor.cli.session import Session
from executor.errors import ExecutorError


def fitting(session: Session, body: Mapping[str, Any]) -> list[Client]:
    """Those that `body`, a request for a revocation, would take something from; the first one if it is none. A dry run
    tells. Raises NotFound, Unreachable; what the executors answer, if none of them can do it; a usage error for an
    amount that several could give.
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
    return found or able[:1]
