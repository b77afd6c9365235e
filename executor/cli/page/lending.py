"""What this node lends now, and what came back in the last hour, as a section of its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from executor.cli.page.markup import Markup, table, tag
from executor.cli.page.style import badge, size, tile
from executor.cli.page.timeline import duration
from executor.lending import rules
from executor.lending.accounts import Loan
from executor.revocation.history import percentiles

Json = Mapping[str, Any]
HOUR_S: Final = 3600.0
_SHOWN_LOANS: Final = 20


def lending(now: Json, closed: Iterable[Loan], now_s: float) -> Markup:
    """`now` is the lender's document (schema/lending.json), `closed` the loans that were returned; `now_s` is seconds
    since the epoch.
    """
    recent = [loan for loan in closed if (loan.returned_s or 0.0) >= now_s - HOUR_S]
    asked = [loan.took_ms for loan in recent if loan.took_ms is not None and not rules.is_broken(loan.reason)]
    took = percentiles(asked)
    offer, borrowed = now["offer"], now["borrowed"]
    tiles = [
        tile(round(offer["cpus"], 3), "cpus offered"),
        tile(round(borrowed["cpus"], 3), "cpus borrowed"),
        tile(size(borrowed["mem_bytes"]), "memory borrowed"),
        tile(len(recent), "loans returned, last hour"),
        tile(round(sum(loan.amount.cpus for loan in recent), 3), "their cpus"),
        tile(
            f"{duration(took['p50_ms'])} / {duration(took['max_ms'])}" if asked else "-",
            "returned on demand, p50 / max",
        ),
    ]
    problems = [
        badge(text, "bad")
        for text, is_so in (("not subscribed", not now["subscribed"]), ("no master", not now["master"]))
        if is_so
    ]
    owners = ((each["role"], each["reserved"]["cpus"], each["surplus"]["cpus"]) for each in now["owners"])
    loans = ((each["task"], each["role"], each["cpus"], each["since"]) for each in now["loans"][:_SHOWN_LOANS])
    more = len(now["loans"]) - _SHOWN_LOANS
    return tag(
        "section",
        tag("h2", "Lending ", problems),
        tag("div", tiles, class_="tiles"),
        table(("owner", "#cpus reserved", "#cpus unused"), owners),
        table(("borrowed by task", "role", "#cpus", "since"), loans),
        tag("p", f"and {more} more: mesos-pod-executor lending", class_="soft") if more > 0 else None,
    )
