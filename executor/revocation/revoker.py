"""Every revocation of this executor, by id: a repeated id is the same revocation and gets the same receipt. Owns
their history.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from executor.errors import ExecutorError, NotFound
from executor.log import get_logger
from executor.names import RevocationId
from executor.revocation import request as requests
from executor.revocation.ladder import descend, refused
from executor.revocation.receipt import Receipt

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.config import RevocationSection
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

REMEMBERED = 1000
"""How many receipts are kept."""


class Revoker:
    def __init__(
        self,
        config: RevocationSection,
        tree: Tree,
        pods: Callable[[], Iterable[PodRunner]],
        on_receipt: Callable[[Receipt], None],
    ) -> None:
        self._config = config
        self._tree = tree
        self._pods = pods
        self._on_receipt = on_receipt
        self._runs: OrderedDict[RevocationId, asyncio.Task[Receipt]] = OrderedDict()
        self._reasons: dict[RevocationId, str] = {}

    def take(self, document: object) -> tuple[RevocationId, asyncio.Task[Receipt]]:
        """Begin what `document` asks for, or find the revocation that has its id already. Raises InvalidRequest.

        The task ends in a receipt, or raises Refused or NotFound if nothing was touched.
        """
        fresh = f"r-{uuid.uuid4().hex[:12]}"
        request = requests.parse(document, default_grace_s=self._config.grace_s, fresh_id=fresh)
        known = self._runs.get(request.id)
        if known is not None:
            return request.id, known
        task = asyncio.ensure_future(self._carry_out(request))
        self._runs[request.id] = task
        self._reasons[request.id] = request.reason
        while len(self._runs) > REMEMBERED:
            forgotten, _ = self._runs.popitem(last=False)
            self._reasons.pop(forgotten, None)
        return request.id, task

    async def _carry_out(self, request: requests.Request) -> Receipt:
        log.info(
            "revocation taken",
            code="revocation.started",
            revocation=request.id,
            reason=request.reason,
            grace_s=request.grace_s,
        )
        try:
            receipt = await descend(request, self._pods, self._tree, stuck_after_s=self._config.stuck_after_s)
        except ExecutorError as error:
            log.warning("revocation refused", code="revocation.refused", revocation=request.id, error=str(error))
            self._on_receipt(refused(request, error))
            raise
        self._on_receipt(receipt)
        return receipt

    def reason(self, identity: RevocationId) -> str:
        """What its request gave as the reason; empty if it is not known."""
        return self._reasons.get(identity, "")

    def receipts(self) -> list[Receipt]:
        """Oldest first; one that is still running is in the state `running`."""
        return [self._receipt(identity, task) for identity, task in self._runs.items()]

    def receipt(self, identity: RevocationId) -> Receipt:
        """Raises NotFound."""
        task = self._runs.get(identity)
        if task is None:
            raise NotFound("no such revocation in this executor", subject=f"revocation {identity}")
        return self._receipt(identity, task)

    def _receipt(self, identity: RevocationId, task: asyncio.Task[Receipt]) -> Receipt:
        reason = self.reason(identity)
        if not task.done():
            return Receipt(identity, reason, "running")
        error = task.exception()
        return Receipt(identity, reason, "refused", error=str(error)) if error is not None else task.result()
