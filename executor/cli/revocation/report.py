"""`report`: one revocation as a page, in a file that needs nothing else."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from executor.cli import complete
from executor.cli.page import collect
from executor.cli.page.revocation import report
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import Failure, reason


@click.command("report")
@click.argument("revocation", default="", shell_complete=complete.revocations)
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write to FILE instead of stdout.")
@json_option
@pass_session
def command(session: Session, revocation: str, file: Path | None, *, as_json: bool) -> None:
    """Write a REVOCATION (its id; the newest one, if none is named) as an HTML page: timeline, victims, proof of the
    regular pods, events.

    The executor that carried it out must be alive; it remembers its last thousand.
    """
    facts = collect.revocation(session, revocation) if revocation else collect.newest_revocation(session)
    if as_json:
        output.json_document(facts)
        return
    text = report(facts["receipt"], facts["events"], socket.gethostname())
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot be written: {reason(error)}", subject=str(file)) from error
    receipt = facts["receipt"]
    output.note(f"{file} shows revocation {receipt['id']} ({receipt['state']}) of executor {facts['executor']}")
