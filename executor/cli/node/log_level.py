"""`log-level`: what an executor writes to its log, changed while it runs."""

from __future__ import annotations

import click

from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.log import LEVELS


@click.command("log-level")
@click.argument("level", default="", type=click.Choice(["", *LEVELS]), metavar="[LEVEL]")
@json_option
@pass_session
def command(session: Session, level: str, *, as_json: bool) -> None:
    """Show or change the least LEVEL (debug, info, warning, error) that the executors of this node write.

    The change lasts until the executor ends; [log] level is what the next one starts with. Events reach the journal at
    any level.
    """
    answers = []
    for client in session.some():
        answer = client.put("/v1/log", {"level": level}) if level else client.get("/v1/log")
        answers.append({"executor": client.id, "level": answer["level"]})
    if as_json:
        output.json_document({"executors": answers})
    else:
        output.table(("executor", "level"), ((each["executor"], each["level"]) for each in answers))
