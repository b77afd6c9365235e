"""`lending`: what this node's lender offers, who holds it, and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

import click

from executor.cli.lending import shown
from executor.cli.printing import output, units
from executor.cli.session import Session, Subcommands, json_option, pass_session
from executor.lending import ledger, rules, status
from executor.lending.accounts import Loan
from executor.revocation.history import percentiles

_LOANS: Final = ("task", "role", "cpus", "memory", "since", "asked", "reason")
_MISSING: Final = MappingProxyType(
    {
        "resource provider": "NOT SUBSCRIBED: nothing is offered",
        "master": "NOT REACHED: the offer does not grow",
    }
)
_TIMES: Final = ("p50_ms", "p90_ms", "p99_ms", "max_ms")
_RETURNED: Final = ("task", "role", "cpus", "memory", "since", "returned", "took_ms", "reason")


@click.group(
    "lending", cls=Subcommands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """Show what this node offers, and how much of it each task has borrowed. Without a command it is `lending now`."""
    if context.invoked_subcommand is None:
        context.invoke(now, as_json=as_json)


@command.command("now")
@json_option
@pass_session
def now(session: Session, *, as_json: bool) -> None:
    """Show the offer, the owners, and the present loans."""
    document = shown.now(session)
    if as_json:
        output.json_document(document)
        return
    offer, borrowed = document["offer"], document["borrowed"]
    output.fields(
        (
            ("agent", document["agent"]),
            ("resource provider", "subscribed" if document["subscribed"] else _missing(document, "resource provider")),
            ("master", "followed" if document["master"] else _missing(document, "master")),
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
    """Show the loans that were returned, how fast, and why: an owner needed them, or a rule ended them ([lending]
    borrowers and quotas), for which no owner waits.
    """
    accounts = ledger.history(shown.directory(session))
    loans = [status.loan_document(loan) for loan in accounts.closed]
    by_rule = [loan for loan in accounts.closed if rules.is_broken(loan.reason)]
    on_demand = [loan for loan in accounts.closed if not rules.is_broken(loan.reason)]
    took, took_by_rule = _took(on_demand), _took(by_rule)
    if as_json:
        took_both = {"took": took, "took_by_rule": took_by_rule}
        output.json_document({"returned": loans[-last:], **took_both, "totals": status.totals(accounts)})
        return
    output.table(_RETURNED, _rows(loans[-last:], _RETURNED), spare=("reason", "since"))
    output.line("")
    totals = ((each["role"], each["loans"], each["asked"], each["cpu_s"]) for each in status.totals(accounts))
    output.table(("role", "loans", "asked", "cpu_seconds"), totals)
    for name, times in (("returns on demand", took), ("returns by rule", took_by_rule)):
        if times["count"]:
            output.line("")
            output.fields(((name, times["count"]), *((each, times[each]) for each in _TIMES)))


def _took(loans: Iterable[Loan]) -> dict[str, Any]:
    return percentiles(loan.took_ms for loan in loans if loan.took_ms is not None)


def _missing(document: Mapping[str, Any], source: str) -> str:
    """What that means, and why it is: until the agent has answered, neither of the two is tried."""
    means = _MISSING[source]
    causes: Mapping[str, str] = document.get("causes", {})
    cause = causes.get(source) or causes.get("agent")
    return f"{means}; {cause}" if cause else means


def _rows(loans: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> Iterable[list[object]]:
    for loan in loans:
        cells = {**loan, "memory": units.size(loan["mem_bytes"])}
        yield [cells.get(column) for column in columns]


def _amount(amount: Mapping[str, Any]) -> str:
    return f"{amount['cpus']:g} cpus, {units.size(amount['mem_bytes'])}"
