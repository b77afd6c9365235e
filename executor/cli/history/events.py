"""`events`: what the executors of this node did, one line an event."""

from __future__ import annotations

import difflib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import click
from click.shell_completion import CompletionItem

from executor.cli import complete, moments
from executor.cli.executors.client import Client
from executor.cli.exits import Unreachable
from executor.cli.history import journals
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import InvalidInput, NotFound
from executor.log import timestamp
from executor.log.codes import CODES, Level
from executor.log.journal_files import merged
from executor.log.timeline import timeline

_HEAD: Final = ("seq", "time", "level", "code", "message", "exception")
Event = dict[str, Any]


def _read_codes(_: click.Context, __: click.Parameter, texts: Sequence[str]) -> list[str]:
    """One that is misspelt would never match. Raises a usage error."""
    codes = [code for text in texts for code in text.split(",") if code]
    areas = {code.rpartition(".")[0] for code in CODES}
    for code in codes:
        if code not in CODES and code not in areas:
            near = difflib.get_close_matches(code, [*CODES, *areas], n=1)
            meant = f"did you mean {near[0]}?" if near else f"areas are: {', '.join(sorted(areas))}"
            raise click.BadParameter(f"{code!r} is neither a code nor an area; {meant}", param_hint="--code")
    return codes


def _complete_codes(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    before, comma, word = incomplete.rpartition(",")
    areas = {code.rpartition(".")[0] for code in CODES}
    return [CompletionItem(f"{before}{comma}{each}") for each in sorted({*CODES, *areas}) if each.startswith(word)]


def _read_since(_: click.Context, __: click.Parameter, text: str | None) -> int | float:
    """The number of an event, or seconds since the epoch. Raises a usage error."""
    if text is None or text.isdecimal():
        return int((text or "0")[:18])
    try:
        return moments.moment(text, time.time())
    except InvalidInput as error:
        raise click.BadParameter(f"{error.message} ({error.hint})", param_hint="--since") from error


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N of those that are there.")
@click.option(
    "--since",
    callback=_read_since,
    metavar="TIME|SEQ",
    help="Only events since 10m ago, or since a time; a number without a unit: only events after this one.",
)
@click.option("--until", type=moments.MOMENT, help="Only events until 10m ago, or until a time.")
@click.option(
    "--pod",
    metavar="POD",
    shell_complete=complete.known,
    help="Only those of one pod, as `why` tells them: also a task.",
)
@click.option(
    "--level",
    type=click.Choice([level.name.lower() for level in Level if level > Level.DEBUG]),
    help="Only events of this level and above.",
)
@click.option(
    "--code",
    "codes",
    multiple=True,
    metavar="CODE",
    callback=_read_codes,
    shell_complete=_complete_codes,
    help="Only these codes, or areas such as pod; several with commas or by repetition.",
)
@json_option
@pass_session
def command(
    session: Session,
    /,
    *,
    follow: bool,
    tail: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what the executors of this node did, and follow it.

    Each executor numbers its events by itself. Those of several are in the order of time, and name their executor by
    its Mesos container. The journals of dead executors are read, with --executor also that of one that has ended,
    and the newest one where none runs.
    """
    wanted = _Wanted.of(options)
    living, left = _sources(session, wanted.after)
    sources: list[_Source | _Left] = [*living, *left]
    recorded = [dict(event) for event in merged(source.recorded() for source in sources)]
    if wanted.pod:
        recorded = timeline(recorded, wanted.pod)
        _check_pod(recorded, wanted, follow=follow)
    chosen = list(filter(wanted.fits, recorded))
    for event in chosen if tail is None else chosen[max(0, len(chosen) - tail) :]:
        _print(event, as_json=as_json)
    pods = {str(event["pod"]) for event in recorded if "pod" in event} if wanted.pod else set()
    for event in _together(living) if follow else ():
        if wanted.fits(event) and (not wanted.pod or event.get("pod") in pods):
            _print(event, as_json=as_json)


def _check_pod(events: Sequence[Event], wanted: _Wanted, *, follow: bool) -> None:
    """Raises NotFound."""
    if not events:
        hint = "see `ps --all`" if follow else "see `ps --all`; `why` looks into the journals of ended executors too"
        raise NotFound("no executor of this node has events of it", subject=f"pod {wanted.pod}", hint=hint)


def _sources(session: Session, since: int) -> tuple[list[_Source], list[_Left]]:
    """Raises NotFound where there is none, Unreachable."""
    found = list(journals.left(session))
    left = [each for each in found if session.executor or session.has_socket(each.container)]
    if found and not left and not session.look():
        left = found[:1]
        output.note(f"no executor runs; the last one, {left[0].names.executor_id}, wrote {left[0].path}")
    try:
        clients = session.all()
        if not left:
            clients = session.some()
    except NotFound:
        if not left:
            raise
        clients = []
    named = len(clients) + len(left) > 1
    return [_Source(each, since, named=named) for each in clients], [_Left(each, since, named=named) for each in left]


@dataclass(frozen=True)
class _Wanted:
    """`after` is an event's number; the times are those of its events, as text, for all of them are in UTC."""

    codes: Sequence[str]
    level: Level
    pod: str
    after: int
    since: str
    until: str

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """The value of the command's options."""
        since, until, level = options["since"], options["until"], options["level"]
        return cls(
            options["codes"],
            Level[level.upper()] if level else Level.DEBUG,
            options["pod"] or "",
            since if isinstance(since, int) else 0,
            "" if isinstance(since, int) else _time(since),
            "~" if until is None else _time(until),
        )

    def fits(self, event: Event) -> bool:
        code = str(event.get("code", ""))
        level = Level.__members__.get(str(event.get("level", "")).upper(), Level.INFO)
        in_time = self.since <= str(event["time"]) <= self.until
        return in_time and level >= self.level and (not self.codes or any(_is_of(code, each) for each in self.codes))


def _time(at_s: float) -> str:
    return timestamp(datetime.fromtimestamp(at_s, UTC))


def _is_of(code: str, wanted: str) -> bool:
    return code == wanted or code.startswith(f"{wanted}.")


class _Left:
    """The journal of an executor that cannot be asked any more."""

    def __init__(self, journal: journals.Journal, since: int, *, named: bool) -> None:
        self._journal, self._since, self._named = journal, since, named

    def recorded(self) -> list[Event]:
        own = {"mesos_container": self._journal.container} if self._named else {}
        return [{**each, **own} for each in self._journal.events() if each["seq"] > self._since]


class _Source:
    """One executor's events from `since` on: those it has, then those that come."""

    def __init__(self, client: Client, since: int, *, named: bool) -> None:
        self._client = client
        self._seen = since
        self._named = named

    def recorded(self) -> list[Event]:
        events = [self._own(each) for each in self._client.get("/v1/events", since=self._seen)["events"]]
        self._seen = events[-1]["seq"] if events else self._seen
        return events

    def coming(self) -> Iterator[Event]:
        yield from map(self._own, self._client.stream("/v1/events", since=self._seen))

    def _own(self, event: Event) -> Event:
        return {**event, "mesos_container": self._client.id} if self._named else event


def _together(sources: list[_Source]) -> Iterator[Event]:
    """As they come, until every executor has ended; of several, one whose stream breaks off is named."""
    if len(sources) == 1:
        yield from sources[0].coming()
        return
    arrivals: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def feed(source: _Source) -> None:
        try:
            for event in source.coming():
                arrivals.put(event)
        except Unreachable as error:
            output.note(str(error))
        finally:
            arrivals.put(None)

    for source in sources:
        threading.Thread(target=feed, args=(source,), daemon=True).start()
    living = len(sources)
    while living:
        event = arrivals.get()
        if event is None:
            living -= 1
        else:
            yield event


def _print(event: Event, *, as_json: bool) -> None:
    if as_json:
        output.json_line(event)
    else:
        output.line(_text(event))


def _text(event: Event) -> str:
    keys = output.keys(event, _HEAD)
    head = f"{event['seq']:>6} {event['time']} {event.get('level', ''):<7} {event.get('code', ''):<22}"
    return f"{head} {output.clean(event.get('message'))} {keys}".rstrip()
