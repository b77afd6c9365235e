"""How a framework asks for a revocation, and how what came of it is told in the log. The framework's side is one
MESSAGE each way: {"revoke": {...}} and {"revocation": {...}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from executor.errors import InvalidRequest
from executor.log import get_logger
from executor.revocation.receipt import Receipt, State

log = get_logger(__name__)


def request(data: bytes) -> object:
    """The request in a MESSAGE's bytes. Raises InvalidRequest."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"is not JSON: {error}", subject="MESSAGE", mend='send {"revoke": {...}}') from error
    if not isinstance(document, Mapping) or set(document) != {"revoke"}:
        raise InvalidRequest(
            'must be an object with the one key "revoke"',
            subject="MESSAGE",
            mend='send {"revoke": {"select": {"all": true}}}',
        )
    return document["revoke"]


def log_receipt(receipt: Receipt) -> None:
    """One line for the whole, one for each victim, and an ERROR for what a human should look at."""
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
