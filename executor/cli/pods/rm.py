"""`rm`: removes what is kept of pods that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from executor.cli import complete
from executor.cli.executors.client import Client, segment
from executor.cli.exits import Exit, Unreachable
from executor.cli.pods import lookup
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound, Refused


@click.command("rm")
@click.argument("pods", metavar="[POD...]", nargs=-1, shell_complete=complete.ended)
@click.option("-a", "--all", "everything", is_flag=True, help="Every pod that has ended.")
@json_option
@pass_session
def command(session: Session, *, pods: Sequence[str], everything: bool, as_json: bool) -> int:
    """Remove the record and the logs of each POD that has ended.

    A pod that runs is refused, and `kill` ends it. The journal keeps its events, and `why` still explains it. What a
    dead executor left is removed by `gc`, and its sandbox by the agent.
    """
    if bool(pods) == everything:
        raise click.UsageError("name pods, or --all of those that have ended")
    found = _ended(session) if everything else [_find(session, name) for name in pods]
    removed, kept = [], []
    for client, pod in found:
        try:
            removed.append(client.delete(f"/v1/pods/{segment(pod)}")["pod"])
        except Refused as error:
            if not everything:
                raise
            kept.append(pod)
            output.note(str(error))
    if as_json:
        output.json_document({"removed": removed, "kept": kept})
    else:
        for pod in removed:
            output.line(pod)
        if not found:
            output.note("nothing to remove: no executor that runs has a pod that has ended")
    return Exit.FAILURE if kept else Exit.OK


def _find(session: Session, name: str) -> tuple[Client, str]:
    """Raises NotFound; Refused where its executor has ended."""
    client, document = lookup.find_known(session, name)
    if client is None:
        hint = "its journal and logs are in the Mesos sandbox, which the agent removes"
        raise Refused("its executor has ended, and no record is left", subject=document["pod"], hint=hint)
    return client, document["pod"]


def _ended(session: Session) -> list[tuple[Client, str]]:
    found: list[tuple[Client, str]] = []
    for client in session.all():
        try:
            pods: list[dict[str, Any]] = client.get("/v1/pods", all=1)["pods"]
        except (NotFound, Unreachable) as error:
            output.note(str(error))
            continue
        found += [(client, pod["pod"]) for pod in pods if pod["state"] == "ended"]
    return found
