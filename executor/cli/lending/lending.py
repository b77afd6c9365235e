"""`lending`: what this node's lender offers, who holds it, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

from executor.cli.lending import shown
from executor.cli.printing import output, units
from executor.cli.session import Session, Subcommands, json_option, pass_session
from executor.lending import ledger, status
from executor.revocation.history import percentiles

_LOANS: Final = ("task", "role", "cpus", "memory", "since", "asked", "reason")
_RETURNED: Final = ("task", "role", "cpus", "memory", "since", "returned", "took_ms", "reason")


@click.group(
    "lending", cls=Subcommands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Show what is offered on this node, and who holds how much of it. Without a command it is `lending now`."""
    if context.invoked_subcommand is None:
        context.invoke(now, as_json=as_json)


@command.command("now")
@json_option
@pass_session
def now(session: Session, *, as_json: bool) -> None:
    """Show the offer, the owners, and the loans of this moment."""
    document = shown.now(session)
    if as_json:
        output.json_document(document)
        return
    offer, borrowed = document["offer"], document["borrowed"]
    output.fields(
        (
            ("agent", document["agent"]),
            ("resource provider", "subscribed" if document["subscribed"] else "NOT SUBSCRIBED: nothing is offered"),
            ("master", "followed" if document["master"] else "NOT REACHED: the offer does not grow"),
            ("offer", _amount(offer)),
            ("borrowed", _amount(borrowed)),
        )
    )
    output.line("")
    rows = ((each["role"], _amount(each["reserved"]), _amount(each["surplus"])) for each in document["owners"])
    output.table(("owner", "reserved", "surplus"), rows)
    if document["shares"]:
        output.line("")
        shares = ((each["owner"], each["borrower"], _amount(each)) for each in document["shares"])
        output.table(("owner", "borrower", "lends"), shares)
    if document["loans"]:
        output.line("")
        output.table(_LOANS, _rows(document["loans"], _LOANS), spare=("reason", "since"))


@command.command("history")
@click.option("--last", type=click.IntRange(1), default=20, show_default=True, help="How many loans.")
@json_option
@pass_session
def history(session: Session, last: int, *, as_json: bool) -> None:
    """Show the loans that were returned, and how fast."""
    accounts = ledger.history(shown.directory(session))
    loans = [status.loan_document(loan) for loan in accounts.closed]
    took = percentiles(loan.took_ms for loan in accounts.closed if loan.took_ms is not None)
    if as_json:
        output.json_document({"returned": loans[-last:], "took": took, "totals": status.totals(accounts)})
        return
    output.table(_RETURNED, _rows(loans[-last:], _RETURNED), spare=("reason", "since"))
    output.line("")
    totals = ((each["role"], each["loans"], each["asked"], each["cpu_s"]) for each in status.totals(accounts))
    output.table(("role", "loans", "asked", "cpu_seconds"), totals)
    if took["count"]:
        output.line("")
        names = ("p50_ms", "p90_ms", "p99_ms", "max_ms")
        output.fields((("returns on demand", took["count"]), *((name, took[name]) for name in names)))


def _rows(loans: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterable[list[object]]:
    for loan in loans:
        cells = {**loan, "memory": units.size(loan["mem_bytes"])}
        yield [cells.get(column) for column in columns]


def _amount(amount: Mapping[str, Any]) -> str:
    return f"{amount['cpus']:g} cpus, {units.size(amount['mem_bytes'])}"
