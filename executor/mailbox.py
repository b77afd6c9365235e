"""A framework's MESSAGEs and the answers: {"revoke": {...}} is the one request there is.

Whatever else comes is answered by {"error": {"message", "subject", "mend"}} and changes nothing. Every receipt goes out
as a MESSAGE, whoever asked for the revocation.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from executor.errors import ExecutorError
from executor.log import get_logger
from executor.revocation import announcement

if TYPE_CHECKING:
    from executor.revocation.receipt import Receipt
    from executor.revocation.revoker import Revoker

log = get_logger(__name__)


class Mailbox:
    """`send` hands bytes to the framework. Owns the tasks that wait for what a message asked for."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, data: bytes, revoker: Revoker) -> None:
        task = asyncio.create_task(self._answer(data, revoker))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, revoker: Revoker) -> None:
        try:
            _, task = revoker.take(announcement.request(data))
            await task
        except ExecutorError as error:
            log.warning("message refused", code="executor.message_refused", error=error)
            refusal = {"message": error.message, "subject": error.subject, "mend": error.mend}
            self._send(json.dumps({"error": refusal}).encode())
        except Exception:
            log.exception("defect while answering a message", code="executor.defect", trigger="Message")

    def receipt(self, receipt: Receipt) -> None:
        announcement.log_receipt(receipt)
        if receipt.state not in ("dry-run", "refused"):
            self._send(json.dumps({"revocation": receipt.document()}).encode())
