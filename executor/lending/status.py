"""What a lender shows of itself: the document of `mesos-pod-executor lending`, and metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from executor.lending.accounts import Accounts, Loan, Totals
from executor.lending.amount import total
from executor.lending.book import Book
from executor.lending.decision import Decision

FILE: Final = "lending.json"


def document(
    book: Book, decision: Decision, *, subscribed: bool, provider: str, causes: Mapping[str, str]
) -> dict[str, Any]:
    """The state of lending now. Amounts are cores and bytes, times RFC 3339. `causes`: why a source does not answer."""
    tasks = book.tasks
    surplus = book.surplus(tasks.values())
    reserved = book.state.reserved if book.state is not None else {}
    unreachable = set(decision.unreachable)
    return {
        "agent": book.state.agent if book.state is not None else "",
        "provider": provider,
        "subscribed": subscribed,
        "master": book.master,
        "causes": dict(causes),
        "offer": decision.offer.document(),
        "borrowed": total(loan.amount for loan in book.accounts.open.values()).document(),
        "owners": [
            {
                "role": owner,
                "reserved": total(
                    amount for role, amount in reserved.items() if book.policy.owner_of(role) == owner
                ).document(),
                "surplus": amount.document(),
            }
            for owner, amount in surplus.items()
        ],
        "shares": [
            {"owner": owner, "borrower": borrower, **amount.document()}
            for (owner, borrower), amount in book.shares().items()
        ],
        "loans": [
            loan_document(loan) | {"can_return": loan.key not in unreachable} for loan in book.accounts.open.values()
        ],
        "totals": totals(book.accounts),
    }


def loan_document(loan: Loan) -> dict[str, Any]:
    """One loan; of an ended one also when and how fast it was returned."""
    found: dict[str, Any] = {
        "framework": loan.key[0],
        "task": loan.key[1],
        "executor": loan.executor,
        "role": loan.role,
        **loan.amount.document(),
        "since": _time(loan.since_s),
    }
    if loan.asked_s is not None:
        found |= {"asked": _time(loan.asked_s), "reason": loan.reason}
    if loan.returned_s is not None:
        found["returned"] = _time(loan.returned_s)
    if loan.took_ms is not None:
        found["took_ms"] = round(loan.took_ms, 1)
    return found


def totals(accounts: Accounts) -> list[dict[str, Any]]:
    """The sums of returned loans, by borrowing role."""
    return [{"role": role, **_totals(each)} for role, each in sorted(accounts.totals.items())]


def _totals(each: Totals) -> dict[str, Any]:
    return {"loans": each.loans, "asked": each.asked, "cpu_s": round(each.cpu_s, 1)}


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
