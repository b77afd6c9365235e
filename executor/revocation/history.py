"""How long revocations have taken, from their receipts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from executor.revocation.receipt import Outcome, Receipt, State

QUANTILES = (50, 90, 99)


def percentiles(values_ms: Iterable[float]) -> dict[str, Any]:
    """By the nearest rank: each is a value that was measured. With fewer than 100 of them p99 is the greatest, so the
    count belongs to it.
    """
    ranked = sorted(values_ms)
    found: dict[str, Any] = {"count": len(ranked)}
    for quantile in QUANTILES:
        found[f"p{quantile}_ms"] = round(_nearest(ranked, quantile), 1) if ranked else None
    found["max_ms"] = round(ranked[-1], 1) if ranked else None
    return found


def _nearest(ranked: Sequence[float], quantile: int) -> float:
    return ranked[max(0, math.ceil(quantile / 100 * len(ranked)) - 1)]


def summary(receipts: Iterable[Receipt]) -> dict[str, Any]:
    """Statistics of the revocations that were carried out: the time to free everything, the time of each pod, and the
    time from the kill on of those that had to be killed.
    """
    over = [receipt for receipt in receipts if receipt.state in (State.DONE, State.STUCK) and receipt.victims]
    ended = [victim for receipt in over for victim in receipt.freed]
    stuck = sum(victim.outcome is Outcome.STUCK for receipt in over for victim in receipt.victims)
    return {
        "revocations": percentiles(receipt.time_to_free_ms for receipt in over),
        "victims": percentiles(victim.ms for victim in ended),
        "after_kill": percentiles(_after_kill(over)),
        "stuck": stuck,
    }


def _after_kill(receipts: Iterable[Receipt]) -> Iterable[float]:
    for receipt in receipts:
        kills = [step.ms - step.took_ms for step in receipt.steps if step.step == "kill"]
        for victim in receipt.freed:
            if kills and victim.outcome is Outcome.KILLED:
                yield max(0.0, victim.ms - kills[0])
