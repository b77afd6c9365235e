"""`why`: what became of one task, from the journal of a living executor or from the file that another one left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import click

from executor.cli import complete
from executor.cli.executors.client import segment
from executor.cli.exits import Unreachable
from executor.cli.history import journals, processes
from executor.cli.history.processes import Process
from executor.cli.history.verdict import Verdict, verdict, without_actor
from executor.cli.pods import lookup
from executor.cli.pods.tail import Tail, tail
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import ExecutorError, NotFound
from executor.log.timeline import Shown, collapsed, timeline

_HEAD: Final = (
    "seq", "time", "level", "code", "message", "exception", "since_ms", "since_launch_ms", "pod", "task", "class",
    "role", "name",
)  # fmt: skip


@dataclass(frozen=True)
class _Story:
    """`source` is a journal's path, empty where its executor answered."""

    events: list[dict[str, Any]]
    source: str = ""
    executor_died: bool = False


@click.command("why")
@click.argument("task", shell_complete=complete.known)
@click.option(
    "--journal",
    metavar="PATH",
    help="Read this journal.jsonl, or the one in this Mesos sandbox, and ask no executor.",
)
@json_option
@pass_session
def command(session: Session, task: str, journal: str | None, *, as_json: bool) -> None:
    """Show what happened to TASK (a task id, or a pod's id or name), why, by whom, and what to do; then the timeline.

    The journals of executors that have ended are found on this node as long as their Mesos sandboxes are there.
    """
    story = _from_file(Path(journal), task) if journal else _found(session, task)
    found = verdict(story.events, executor_died=story.executor_died)
    written, stuck = _written(session, story), _stuck(story)
    if advice := processes.advice(stuck):
        found = replace(found, action=advice)
    if as_json:
        document = {"task": task, "verdict": found.document(), "events": story.events}
        document |= {"log": written.document()} if written else {}
        output.json_document(document | ({"processes": [each.document() for each in stuck]} if stuck else {}))
        return
    _show_verdict(task, found, story)
    _show_evidence(written, stuck)
    output.line("")
    for shown in collapsed([_beside(event, found.actor) for event in story.events]):
        output.paragraph(_text(shown), indent=15)


def _written(session: Session, story: _Story) -> Tail | None:
    """The last lines of a container that failed, or was restarted."""
    failed = [event for event in story.events if event.get("code") == "pod.container_exited" and event.get("exit_code")]
    if not failed or "pod" not in failed[-1]:
        return None
    try:
        _, document = lookup.find_known(session, str(failed[-1]["pod"]))
    except (ExecutorError, click.UsageError):  # an old pod's record is gone, and with it the way to its files
        return None
    return next((tail(each) for each in document["containers"] if each["name"] == failed[-1].get("container")), None)


def _stuck(story: _Story) -> list[Process]:
    """The processes that survive SIGKILL, if they are still there."""
    codes = [str(event.get("code")) for event in story.events]
    if "pod.stuck" not in codes or "pod.ended" in codes:
        return []
    stuck = next(event for event in reversed(story.events) if event.get("code") == "pod.stuck")
    return processes.of(stuck.get("pids", ()))


def _found(session: Session, task: str) -> _Story:
    """The story of an executor that answers, else of a journal. Raises NotFound, Unreachable."""
    silent: list[Unreachable] = []
    found = next(lookup.answers(_answering(session, silent), f"/v1/timelines/{segment(task)}", silent), None)
    if found is not None and found[1]["events"]:
        return _Story(found[1]["events"])
    for journal in journals.left(session):
        if events := timeline(journal.events(), task):
            return _Story(events, str(journal.path), journal.died)
    if silent:
        raise silent[0]
    hint = "its Mesos sandbox may be gone, or the name is wrong: see `ps --all` and `events`, or give --journal PATH"
    raise NotFound("no executor of this node knows it, nor any journal that is left", subject=f"task {task}", hint=hint)


def _answering(session: Session, silent: list[Unreachable]) -> list[Any]:
    try:
        return session.all()
    except Unreachable as error:
        silent.append(error)
    except NotFound:  # chosen by --executor, and ended
        if next(journals.left(session), None) is None:
            raise
    return []


def _from_file(path: Path, task: str) -> _Story:
    events = timeline(journals.at(path), task)
    if not events:
        raise NotFound("this journal knows no such task", subject=f"task {task}", hint=f"see {path}")
    return _Story(events, str(path))


def _show_verdict(task: str, found: Verdict, story: _Story) -> None:
    lines = (("WHAT", found.what), ("WHY", found.why), ("BY WHOM", found.actor), ("WHAT TO DO", found.action))
    for name, text in lines:
        output.paragraph(f"{name:<10}  {output.clean(text)}", indent=12)
    known = {key: event[key] for event in story.events for key in ("pod", "class", "role") if key in event}
    identity = " ".join(f"{key}={output.clean(value)}" for key, value in known.items())
    source = f" (from {story.source})" if story.source else ""
    output.paragraph(f"{task}  {identity} since {story.events[0]['time']}{source}", indent=12)


def _show_evidence(written: Tail | None, stuck: list[Process]) -> None:
    if written:
        output.line("")
        output.line(f"the last lines of {output.clean(written.container)} on {written.stream}:")
        for line in written.lines:
            output.line(f"    {output.clean(line)}")
    processes.show(stuck)


def _beside(event: dict[str, Any], actor: str) -> dict[str, Any]:
    """The event without who did it, where BY WHOM says that already."""
    beside = {key: value for key, value in event.items() if key != "actor" or str(value) not in actor}
    return beside | ({"error": without_actor(str(beside["error"]), actor)} if beside.get("error") else {})


def _text(shown: Shown) -> str:
    event = shown.event
    keys = output.keys(event, [*_HEAD, *shown.repeated])
    head = f"{event['since_ms']:>10.0f} ms  {event.get('code', ''):<22}"
    since = f"  ({shown.count} times since {shown.first_ms:.0f} ms)" if shown.count > 1 else ""
    return f"{head} {output.clean(event.get('message'))}  {keys}{since}".rstrip()
