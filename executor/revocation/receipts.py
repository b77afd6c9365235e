"""The one exit for receipts of revocations: the log (and with it the journal and the metrics), and a MESSAGE to the
framework.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from executor.log import get_logger
from executor.revocation.receipt import Receipt, State

log = get_logger(__name__)


class Receipts:
    """`send` takes one MESSAGE's bytes."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def give(self, receipt: Receipt) -> None:
        """Write the result of a revocation to the log, and send it to the framework. One that changed nothing is only
        logged: the client gets it as the answer.
        """
        log_receipt(receipt)
        if receipt.state not in (State.DRY_RUN, State.REFUSED):
            self.send(receipt)

    def send(self, receipt: Receipt) -> None:
        """Send it to the framework only, as the answer to its request."""
        self._send(json.dumps({"revocation": receipt.document()}).encode())


def log_receipt(receipt: Receipt) -> None:
    """One line for the whole, one for each victim, and an ERROR for what a human should look at. A dry run did
    nothing to the pods that it names.
    """
    if receipt.state is State.REFUSED:
        return  # it has an event of its own
    if receipt.state is State.DRY_RUN:
        log.info(
            "dry run of a revocation",
            code="revocation.dry_run",
            revocation=receipt.id,
            victims=len(receipt.victims),
            freed_cpus=receipt.freed_cpus,
            freed_mem_bytes=receipt.freed_mem_bytes,
        )
        return
    log.info(
        "revocation receipt",
        code="revocation.receipt",
        revocation=receipt.id,
        state=receipt.state,
        victims=len(receipt.victims),
        spared=receipt.regular.pods if receipt.regular else 0,
        freed_cpus=receipt.freed_cpus,
        freed_mem_bytes=receipt.freed_mem_bytes,
        duration_ms=round(receipt.time_to_free_ms, 1),
    )
    for victim in receipt.victims:
        log.info(
            "what a revocation did to a pod",
            code="revocation.victim",
            revocation=receipt.id,
            pod=victim.pod,
            tasks=list(victim.tasks),
            outcome=victim.outcome,
            duration_ms=round(victim.ms, 1),
            freed_cpus=victim.cpus,
            freed_mem_bytes=victim.mem_bytes,
            pids=list(victim.pids),
        )
    if receipt.regular is not None and not receipt.regular.unchanged:
        log.error(
            "a regular pod changed",
            code="revocation.regular_changed",
            revocation=receipt.id,
            error="; ".join(receipt.regular.changed),
        )
    if receipt.state is State.STUCK:
        log.error("victims do not die", code="revocation.stuck", revocation=receipt.id)
