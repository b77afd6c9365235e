"""`events`: what the executor did, one line an event."""

from __future__ import annotations

from typing import Any

import click

from executor.cli import output
from executor.cli.session import Session, json_option, pass_session

_HEAD = ("seq", "time", "level", "code", "message", "exception")


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Only events after this number.")
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Only these codes, or areas such as pod.")
@json_option
@pass_session
def command(session: Session, *, follow: bool, since: int, codes: tuple[str, ...], as_json: bool) -> None:
    """Show what the executor did, and follow it."""
    client = session.one()
    events = client.stream("/v1/events", since=since) if follow else client.get("/v1/events", since=since)["events"]
    for event in events:
        if _wanted(str(event.get("code", "")), codes):
            output.json_line(event) if as_json else output.line(_text(event))


def _wanted(code: str, codes: tuple[str, ...]) -> bool:
    return not codes or any(code == each or code.startswith(f"{each}.") for each in codes)


def _text(event: dict[str, Any]) -> str:
    keys = " ".join(f"{key}={output.clean(value)}" for key, value in event.items() if key not in _HEAD)
    head = f"{event['seq']:>6} {event['time']} {event.get('level', ''):<7} {event.get('code', ''):<22}"
    return f"{head} {output.clean(event.get('message'))} {keys}".rstrip()
