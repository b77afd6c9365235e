"""`why`: one task's story, from the journal of a living executor or from the file that a dead one left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from executor.cli import complete, output
from executor.cli.client import segment
from executor.cli.exits import Unreachable
from executor.cli.session import Session, json_option, pass_session
from executor.errors import Failure, NotFound, reason

_HEAD = (
    "seq", "time", "level", "code", "message", "exception", "since_ms", "since_launch_ms", "pod", "task", "class",
    "role", "name",
)  # fmt: skip


@click.command("why")
@click.argument("task", shell_complete=complete.tasks)
@click.option(
    "--journal",
    metavar="PATH",
    help="Read this journal.jsonl, or the one in this Mesos sandbox: for an executor that has ended.",
)
@json_option
@pass_session
def command(session: Session, task: str, journal: str | None, *, as_json: bool) -> None:
    """Tell what happened to TASK (a task id, or a pod's id or name) and why, from launch to end."""
    events = _from_file(Path(journal), task) if journal else _from_executors(session, task)
    if as_json:
        output.json_document({"task": task, "events": events})
        return
    output.line(f"{task}  {' '.join(_identity(events))} since {events[0]['time']}")
    for event in events:
        output.line(_text(event))


def _from_executors(session: Session, task: str) -> list[dict[str, Any]]:
    silent: list[Unreachable] = []
    for client in session.all():
        try:
            events: list[dict[str, Any]] = client.get(f"/v1/timelines/{segment(task)}")["events"]
            return events
        except NotFound:
            continue
        except Unreachable as error:
            silent.append(error)
    if silent:
        raise silent[0]
    hint = "its executor may have ended: give --journal its Mesos sandbox"
    raise NotFound("no living executor of this node knows it", subject=f"task {task}", hint=hint)


def _from_file(path: Path, task: str) -> list[dict[str, Any]]:
    from executor.log.journal import FILE, read
    from executor.log.timeline import timeline

    directory = path.parent if path.name.startswith(FILE) else path
    try:
        events = timeline(read(directory), task)
    except FileNotFoundError as error:
        raise NotFound("no such file", subject=str(path), hint="name a journal.jsonl or a Mesos sandbox") from error
    except OSError as error:
        raise Failure(f"cannot be read: {reason(error)}", subject=str(path)) from error
    if not events:
        raise NotFound("this journal knows no such task", subject=f"task {task}", hint=f"see {directory / FILE}")
    return events


def _identity(events: list[dict[str, Any]]) -> list[str]:
    known = {key: event[key] for event in events for key in ("pod", "class", "role") if key in event}
    return [f"{key}={output.clean(value)}" for key, value in known.items()]


def _text(event: dict[str, Any]) -> str:
    keys = output.keys(event, _HEAD)
    head = f"{event['since_ms']:>10.0f} ms  {event.get('code', ''):<22}"
    return f"{head} {output.clean(event.get('message'))}  {keys}".rstrip()
