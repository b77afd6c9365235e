"""`top`: what classes and pods use now, from two looks at their cgroups."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from executor import log
from executor.cli.pods import rates
from executor.cli.printing import output, units
from executor.cli.session import Session, json_option, pass_session

_FIRST_S: Final = 0.5
"""Between the two looks of the first picture."""
_CLASSES: Final = ("class", "pods", "cpus", "used", "mem", "in use", "psi cpu", "psi memory", "psi io", "executor")
_PODS: Final = (
    "pod",
    "name",
    "class",
    "role",
    "state",
    "cpus",
    "used",
    "mem",
    "in use",
    "in/s",
    "out/s",
    "drops/s",
    "reason",
)
_SPARE_CLASSES: Final = ("executor", "psi io", "psi memory", "psi cpu")
_SPARE_PODS: Final = ("drops/s", "role", "reason", "class", "pod", "mem", "cpus", "state")
_REASON_LETTERS: Final = 40
Document = dict[str, Any]

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command("top")
@click.option("--once", is_flag=True, help="Print once and exit.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between two readings."
)
@click.option(
    "--sort", type=click.Choice(list(rates.SORTS)), default="cpu", show_default=True, help="Order of the pods."
)
@json_option
@pass_session
def command(session: Session, *, once: bool, interval: float, sort: str, as_json: bool) -> None:
    """Show what classes and pods use now: cores, memory, network, and how much of the time they wait (PSI, last 10 s).

    "cpus" and "mem" are what Mesos accounts to them. Without --once it goes on until q is typed, or it is interrupted.
    """
    session.some()  # there is something to look at; what ends or comes later is met
    if as_json:
        output.json_document(next(_pictures(session, interval, sort)))
    elif once:
        _show(next(_pictures(session, interval, sort)))
    else:
        _follow(session, interval, sort)


def _pictures(
    session: Session, interval_s: float, sort: str, wait: Callable[[float], object] = time.sleep
) -> Iterator[Document]:
    """Until `wait`, which is given seconds, returns something true."""
    before = rates.look(session)
    pause_s = min(_FIRST_S, interval_s)
    while True:
        if wait(pause_s):
            return
        now = rates.look(session)
        picture = rates.usage(now, before)
        yield {**picture, "pods": sorted(picture["pods"], key=rates.SORTS[sort])}
        before, pause_s = now, interval_s


def _follow(session: Session, interval_s: float, sort: str) -> None:
    """On a terminal in a screen of its own, which is gone afterwards; elsewhere one picture after the other."""
    if not sys.stdout.isatty():
        for picture in _pictures(session, interval_s, sort):
            output.line(_headline(picture))
            _show(picture)
            output.line("")
        return
    from rich.live import Live

    from executor.cli.printing import terminal

    console = terminal.console()
    with terminal.quit_key() as wait, Live(console=console, screen=True, auto_refresh=False) as screen:
        for picture in _pictures(session, interval_s, sort, wait):
            screen.update(_drawn(picture, console.width, console.height), refresh=True)


def _headline(picture: Document) -> str:
    pods, executors = (units.count(len(picture[f"{noun}s"]), noun) for noun in ("pod", "executor"))
    return f"{log.timestamp()}  {pods}, {executors}"


def _show(picture: Document) -> None:
    output.table(_CLASSES, map(_class, picture["classes"]), spare=_spare_classes(picture))
    output.line("")
    output.table(_PODS, map(_pod, picture["pods"]), spare=_SPARE_PODS)


def _drawn(picture: Document, width: int, height: int) -> RenderableType:
    """As many pods as there are lines for."""
    from rich.console import Group
    from rich.text import Text

    from executor.cli.printing import terminal

    def table(columns: Sequence[str], rows: list[list[str]], spare: Sequence[str]) -> RenderableType:
        return terminal.table(columns, rows, spare, width)

    classes, pods = (output.cleaned(map(row, picture[key])) for row, key in ((_class, "classes"), (_pod, "pods")))
    room = max(1, height - len(classes) - 8)
    left = f"and {len(pods) - room} more pods; " if len(pods) > room else ""
    return Group(
        Text(_headline(picture), style="dim"),
        Text(),
        table(_CLASSES, classes, _spare_classes(picture)),
        Text(),
        table(_PODS, pods[:room], _SPARE_PODS),
        Text(f"{left}q ends it", style="dim"),
    )


def _spare_classes(picture: Document) -> Sequence[str]:
    """The columns to leave out. With several executors a class has a row for each, and only their names differ."""
    return _SPARE_CLASSES if len(picture["executors"]) < 2 else [each for each in _SPARE_CLASSES if each != "executor"]


def _class(row: Document) -> tuple[object, ...]:
    pressures = [row["pressure"][each] for each in rates.RESOURCES]
    waits = [None if each is None else f"{each['some']['avg10']:g} %" for each in pressures]
    return (row["class"], row["pods"], *_numbers(row), *waits, units.identity(row["executor"]))


def _pod(row: Document) -> tuple[object, ...]:
    name = "/".join(part for part in (row["namespace"], row["name"]) if part)
    reason = units.shortened(row["reason"], _REASON_LETTERS)
    return (row["pod"], name, row["class"], row["role"], row["status"], *_numbers(row), *_network(row), reason)


def _numbers(row: Document) -> tuple[object, ...]:
    used, size_bytes = row["cpus_used"], row["memory_bytes"]
    return (
        f"{row['cpus']:g}",
        None if used is None else f"{used:.2f}",
        units.size(row["mem_bytes"]),
        None if size_bytes is None else units.size(size_bytes),
    )


def _network(row: Document) -> tuple[object, ...]:
    """The traffic of a pod with networks of its own, once two looks were taken."""
    network = row["network"]
    if network is None:
        return (None, None, None)
    received, sent = (units.size(int(network[f"{way}_bytes_per_s"])) for way in ("received", "sent"))
    return (received, sent, f"{network['received_dropped_per_s'] + network['sent_dropped_per_s']:g}")
