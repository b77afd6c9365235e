"""`events`: what the executors of this node did, one line an event."""

from __future__ import annotations

import difflib
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import click

from executor.cli.executors.client import Client
from executor.cli.exits import Unreachable
from executor.cli.history import journals
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound
from executor.log.codes import CODES, Level

_HEAD: Final = ("seq", "time", "level", "code", "message", "exception")
Event = dict[str, Any]


@click.command("events")
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N of those that are there.")
@click.option("--since", type=click.IntRange(min=0), default=0, metavar="SEQ", help="Only events after this number.")
@click.option(
    "--level",
    type=click.Choice([level.name.lower() for level in Level if level > Level.DEBUG]),
    help="Only events of this level and above.",
)
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Only these codes, or areas such as pod.")
@json_option
@pass_session
def command(
    session: Session,
    *,
    follow: bool,
    tail: int | None,
    since: int,
    level: str | None,
    codes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what the executors of this node did, and follow it.

    Each executor numbers its events by itself. Those of several are in the order of time, and name their executor by
    its Mesos container. Of dead executors the journals are read, and with --executor also of one that has ended.
    """
    _check(codes)
    wanted = _Wanted(codes, Level[level.upper()] if level else Level.DEBUG)
    living, left = _sources(session, since)
    sources: list[_Source | _Left] = [*living, *left]
    recorded = sorted((event for source in sources for event in source.recorded()), key=lambda event: event["time"])
    chosen = list(filter(wanted.fits, recorded))
    for event in chosen if tail is None else chosen[max(0, len(chosen) - tail) :]:
        _print(event, as_json=as_json)
    for event in _together(living) if follow else ():
        if wanted.fits(event):
            _print(event, as_json=as_json)


def _sources(session: Session, since: int) -> tuple[list[_Source], list[_Left]]:
    """Raises NotFound where there is none, Unreachable."""
    found = list(journals.left(session))
    left = [each for each in found if session.executor or session.has_socket(each.container)]
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
    codes: tuple[str, ...]
    level: Level

    def fits(self, event: Event) -> bool:
        code = str(event.get("code", ""))
        level = Level.__members__.get(str(event.get("level", "")).upper(), Level.INFO)
        return level >= self.level and (not self.codes or any(_is_of(code, each) for each in self.codes))


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


def _check(codes: Iterable[str]) -> None:
    """One that is misspelt would never match. Raises a usage error."""
    areas = {code.rpartition(".")[0] for code in CODES}
    for code in codes:
        if code not in CODES and code not in areas:
            near = difflib.get_close_matches(code, [*CODES, *areas], n=1)
            meant = f"did you mean {near[0]}?" if near else f"areas are: {', '.join(sorted(areas))}"
            raise click.BadParameter(f"{code!r} is neither a code nor an area; {meant}", param_hint="--code")


def _print(event: Event, *, as_json: bool) -> None:
    if as_json:
        output.json_line(event)
    else:
        output.line(_text(event))


def _text(event: Event) -> str:
    keys = output.keys(event, _HEAD)
    head = f"{event['seq']:>6} {event['time']} {event.get('level', ''):<7} {event.get('code', ''):<22}"
    return f"{head} {output.clean(event.get('message'))} {keys}".rstrip()
