"""`top`: what classes and pods use now, from two looks at their cgroups."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import click

from executor.cli import output, rates
from executor.cli.session import Session, json_option, pass_session

_FIRST_S: Final = 0.5
"""Between the two looks of the first picture."""
_SORTS: Final = {
    "cpu": lambda row: -(row["cpus_used"] or 0),
    "memory": lambda row: -(row["memory_bytes"] or 0),
    "name": lambda row: (row["namespace"], row["name"]),
}
Document = dict[str, Any]


@click.command("top")
@click.option("--once", is_flag=True, help="Print one picture and end.")
@click.option("--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between two.")
@click.option("--sort", type=click.Choice(list(_SORTS)), default="cpu", show_default=True, help="Order of the pods.")
@json_option
@pass_session
def command(session: Session, *, once: bool, interval: float, sort: str, as_json: bool) -> None:
    """Show what classes and pods use now: cores, memory, and how much of the time they wait (PSI, last 10 s).

    "cpus" and "mem" are what Mesos accounts to them. Without --once it goes on until it is interrupted.
    """
    pictures = _pictures(session, interval, sort)
    if as_json:
        output.json_document(next(pictures))
    elif once:
        _show(next(pictures))
    else:
        _follow(pictures)


def _pictures(session: Session, interval_s: float, sort: str) -> Iterator[Document]:
    before = rates.look(session)
    pause_s = min(_FIRST_S, interval_s)
    while True:
        time.sleep(pause_s)
        now = rates.look(session)
        picture = rates.usage(now, before)
        yield {**picture, "pods": sorted(picture["pods"], key=_SORTS[sort])}
        before, pause_s = now, interval_s


def _follow(pictures: Iterator[Document]) -> None:
    for picture in pictures:
        output.line("\x1b[H\x1b[2J" + time.strftime("%H:%M:%S") + "  interrupt to end\n")
        _show(picture)


def _show(picture: Document) -> None:
    output.table(
        ("class", "pods", "cpus", "used", "mem", "used", "psi cpu", "psi memory", "psi io", "executor"),
        (_class(row) for row in picture["classes"]),
    )
    output.line("")
    output.table(
        ("pod", "name", "class", "role", "state", "cpus", "used", "mem", "used"),
        (_pod(row) for row in picture["pods"]),
    )


def _class(row: Document) -> tuple[object, ...]:
    waits = [None if each is None else f"{each['some']['avg10']:g} %" for each in row["pressure"].values()]
    return (row["class"], row["pods"], *_numbers(row), *waits, row["executor"][:12])


def _pod(row: Document) -> tuple[object, ...]:
    name = "/".join(part for part in (row["namespace"], row["name"]) if part)
    return (row["pod"], name, row["class"], row["role"], row["state"], *_numbers(row))


def _numbers(row: Document) -> tuple[object, ...]:
    used, size_bytes = row["cpus_used"], row["memory_bytes"]
    return (
        f"{row['cpus']:g}",
        None if used is None else f"{used:.2f}",
        output.mebibytes(row["mem_bytes"]),
        None if size_bytes is None else output.mebibytes(size_bytes),
    )
