"""MESSAGEs of frameworks and the answers to them, one MESSAGE each way: {"revoke": {...}} and {"revocation": {...}},
{"update": {...}} and {"updated": {...}}, {"list": {...}} and {"listed": {...}}, or {"error": {...}}. Mesos may lose
either, so a framework that hears nothing sends its request again, under the same id, and gets the same receipt again.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from executor import bounded_json, exhausted
from executor.errors import ExecutorError, Failure, InvalidRequest
from executor.log import get_logger
from executor.revocation.receipt import State

if TYPE_CHECKING:
    from executor.revocation.receipts import Receipts
    from executor.revocation.revoker import Revoker, Taken

log = get_logger(__name__)

Handler = Callable[[object], Awaitable[Mapping[str, object]]]

_ID_SHOWN = 128
WAITING_MAX = 1000
"""MESSAGEs that wait to be read."""
ANSWERS_MAX = 1000
"""Requests whose receipts a framework waits for at a time."""


class FrameworkMessages:
    """With the framework: `send` takes one MESSAGE's bytes. MESSAGEs are read one after the other, with a turn of
    the event loop between two of them. Owns the task that reads, and those that wait for receipts.

    `others` are the requests beside `revoke`, by their key: what each returns is sent as the answer.
    """

    def __init__(
        self,
        revoker: Revoker,
        receipts: Receipts,
        send: Callable[[bytes], None],
        others: Mapping[str, Handler] | None = None,
    ) -> None:
        self._receipts = receipts
        self._others = dict(others or {})
        self._revoker = revoker
        self._send = send
        self._waiting: deque[bytes] = deque()
        self._reading: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, data: bytes) -> None:
        """A framework's MESSAGE. Every one is answered, as long as no more than WAITING_MAX wait to be read."""
        if len(self._waiting) >= WAITING_MAX:
            self._refuse(Failure(f"{WAITING_MAX} messages wait to be read; this one is dropped", subject="MESSAGE"), "")
            return
        self._waiting.append(data)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while self._waiting:
            self._begin(self._waiting.popleft())
            await asyncio.sleep(0)

    def _begin(self, data: bytes) -> None:
        identity = ""
        try:
            verb, document = request(data, ("revoke", *self._others))
            identity = _id(document)
            if len(self._tasks) >= ANSWERS_MAX:
                raise Failure(f"{ANSWERS_MAX} requests wait for their receipts", hint="ask again later")
            if verb == "revoke":
                answer = self._answer(self._revoker.take(document, "the framework (MESSAGE)"), identity)
            else:
                answer = self._answer_other(self._others[verb], document, identity)
        except ExecutorError as error:
            self._refuse(error, identity)
        except Exception as error:  # noqa: BLE001 - the boundary of a message: what fails in it harms nothing else
            _tell_defect(error)
        else:
            task = asyncio.ensure_future(answer)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_other(self, handler: Handler, document: object, identity: str) -> None:
        try:
            answer = await handler(document)
        except ExecutorError as error:
            self._refuse(error, identity)
        except Exception as error:  # noqa: BLE001 - the boundary of a message: what fails in it harms nothing else
            _tell_defect(error)
        else:
            self._send(json.dumps(answer).encode())

    async def _answer(self, taken: Taken, identity: str) -> None:
        try:
            receipt = await self._revoker.outcome(taken)
        except ExecutorError as error:
            self._refuse(error, identity)
        except Exception as error:  # noqa: BLE001 - the boundary of a message: what fails in it harms nothing else
            _tell_defect(error)
        else:
            if taken.repeated or receipt.state is State.DRY_RUN:
                self._receipts.send(receipt)

    def _refuse(self, error: ExecutorError, identity: str) -> None:
        log.warning("message refused", code="executor.message_refused", error=error)
        refusal = {"message": error.message, "subject": error.subject, "hint": error.hint}
        self._send(json.dumps({"error": refusal | ({"id": identity[:_ID_SHOWN]} if identity else {})}).encode())


def _tell_defect(error: Exception) -> None:
    if exhausted.tell(log, error) is None:
        log.error("defect while answering a message", code="executor.defect", trigger="Message", exc_info=error)


def _id(document: object) -> str:
    """The id of a request; empty if it has none."""
    identity = document.get("id") if isinstance(document, Mapping) else None
    return identity if isinstance(identity, str) else ""


def request(data: bytes, verbs: Sequence[str] = ("revoke",)) -> tuple[str, object]:
    """What a MESSAGE's bytes ask for, by its one key, and the request. Raises InvalidRequest."""
    try:
        document = bounded_json.loads(data, bounded_json.MESSAGE)
    except ValueError as error:
        raise InvalidRequest(f"is not JSON: {error}", subject="MESSAGE", hint='send {"revoke": {...}}') from error
    verb = next(iter(document), "") if isinstance(document, Mapping) and len(document) == 1 else ""
    if verb not in verbs:
        keys = " or ".join(f'"{each}"' for each in verbs)
        raise InvalidRequest(
            f"must be an object with the one key {keys}",
            subject="MESSAGE",
            hint='send {"revoke": {"select": {"all": true}}}',
        )
    return verb, document[verb]
