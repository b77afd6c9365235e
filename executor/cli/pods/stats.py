"""`stats`: what pods use now, as docker, podman and crictl show it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import click

from executor.cli import complete
from executor.cli.pods import filters, lookup, rates, status
from executor.cli.pods.filters import Condition
from executor.cli.printing import forms, output, units
from executor.cli.printing.forms import Form, Kind
from executor.cli.session import Session, json_option, pass_session

_FIRST_S: Final = 0.5
_COLUMNS: Final = ("pod", "name", "cpu %", "mem usage / limit", "mem %", "net in/s", "net out/s", "class", "role")
_SPARE: Final = ("role", "class", "net out/s", "net in/s", "mem %")
Document = dict[str, Any]


@click.command("stats")
@click.argument("pods", metavar="[POD...]", nargs=-1, shell_complete=complete.pods)
@filters.options
@click.option("--no-stream", is_flag=True, help="Print once and exit, as always when the output is not a terminal.")
@click.option(
    "--sort", type=click.Choice(list(rates.SORTS)), default="cpu", show_default=True, help="Order of the pods."
)
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=2.0, show_default=True, help="Seconds between two readings."
)
@forms.option
@json_option
@pass_session
def command(
    session: Session,
    /,
    pods: Sequence[str],
    *,
    no_stream: bool,
    sort: str,
    interval: float,
    form: Form | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Show what each POD uses now, or all of them: cores, memory and network, one line each.

    100 % of CPU is one core. The limit of memory is what Mesos accounts to the pod. On a terminal it goes on until q is
    typed; `top` shows classes and pressure too.
    """
    form = forms.chosen(form, as_json=as_json)
    conditions = filters.chosen(options)
    meant = {lookup.find(session, name)[1]["pod"] for name in pods}
    session.some()

    def picture(before: rates.Look, now: rates.Look) -> list[Document]:
        rows: list[Document] = rates.usage(now, before)["pods"]
        fitting = _fitting(session, conditions) if conditions else {row["pod"] for row in rows}
        chosen = [row for row in rows if (not meant or row["pod"] in meant) and row["pod"] in fitting]
        return sorted(chosen, key=rates.SORTS[sort])

    before = rates.look(session)
    time.sleep(min(_FIRST_S, interval))
    now = rates.look(session)
    if no_stream or not form.is_table or not sys.stdout.isatty():
        _print(form, picture(before, now))
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from executor.cli.printing import terminal

    console = terminal.console()
    with terminal.quit_key() as wait, Live(console=console, auto_refresh=False) as screen:
        while True:
            rows = output.cleaned(map(_row, picture(before, now)))
            table = terminal.table(_COLUMNS, rows, _SPARE, console.width)
            screen.update(Group(table, Text("q ends it", style="dim")), refresh=True)
            before = now
            if wait(interval):
                return
            now = rates.look(session)


def _fitting(session: Session, conditions: Sequence[Condition]) -> set[str]:
    """The ids of the pods that meet the conditions; those of usage lack some keys."""
    known = [pod for client in session.answering() for pod in client.get("/v1/pods")["pods"]]
    return {pod["pod"] for pod in known if filters.fits(conditions, pod)}


def _print(form: Form, rows: list[Document]) -> None:
    if form.is_table:
        output.table(_COLUMNS, map(_row, rows), spare=() if form.kind is Kind.WIDE else _SPARE)
    elif form.kind is Kind.NAME:
        for row in rows:
            output.line(output.clean(status.name(row)))
    else:
        forms.show(form, {"pods": rows})


def _row(row: Document) -> tuple[object, ...]:
    used, limit = row["memory_bytes"], row["mem_bytes"]
    memory = f"{'-' if used is None else units.size(used)} / {units.size(limit)}"
    network = row["network"] or {}
    traffic = [network.get(f"{way}_bytes_per_s") for way in ("received", "sent")]
    return (
        row["pod"],
        status.name(row),
        None if row["cpus_used"] is None else f"{100 * row['cpus_used']:.1f} %",
        memory,
        None if used is None or not limit else f"{100 * used / limit:.1f} %",
        *(None if each is None else units.size(int(each)) for each in traffic),
        row["class"],
        row["role"],
    )
