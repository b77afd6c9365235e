"""Every revocation of this executor, by id: a repeated id is the same revocation and gets the same receipt. Owns
their history.

A receipt is given when all victims have ended, or when those that live are stuck; in between what is known is reported
once. Stuck victims are retried for as long as they live (by their own life cycles), and reported when they end.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from executor import exhausted
from executor.errors import CgroupFailure, ExecutorError, NotFound, Refused
from executor.log import get_logger
from executor.names import RevocationId
from executor.pod.life.events import Stop, StopCause
from executor.revocation import request as requests
from executor.revocation.ladder import Ladder, Table
from executor.revocation.receipt import Receipt, State
from executor.revocation.request import Request

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.config import RevocationSection
    from executor.pod.resources.cpu_boost import CpuBoost

log = get_logger(__name__)

REMEMBERED = 100
"""How many receipts are kept."""


@dataclass
class _Run:
    """`receipt` is the last one given. `source` knows how far it is: the ladder, which holds victims and regular pods,
    and once nothing changes any more that receipt.
    """

    request: Request
    source: Ladder | Receipt
    task: asyncio.Task[Receipt]
    receipt: Receipt | None = None

    def now(self) -> Receipt:
        """As it stands: the times of victims that are stuck go on."""
        if isinstance(self.source, Receipt):
            return self.source
        now = self.source.receipt()
        return now if self.receipt is None else replace(now, error=self.receipt.error)

    @property
    def harmless(self) -> bool:
        """Nothing was touched, or will be: the same id may be used for the real thing, or tried again."""
        refused = self.receipt is not None and self.receipt.state is State.REFUSED
        return self.request.dry_run or refused


class Taken(NamedTuple):
    """`task` ends in a receipt, or raises Refused or NotFound if nothing was touched. `repeated`: it was under way, or
    over, when it was asked for.
    """

    id: RevocationId
    task: asyncio.Task[Receipt]
    repeated: bool


@dataclass(frozen=True)
class Listeners:
    """What the other parts of the executor do in the course of a revocation."""

    receipt: Callable[[Receipt], None]
    """Gets every receipt, also one of a revocation that goes on."""
    before: Callable[[], None] = lambda: None
    """Called before victims are chosen."""
    proven: Callable[[Request], None] = lambda _: None
    """Called when a request is about to be carried out."""
    shut_down: Callable[[str], None] = lambda _: None
    """Ends the executor, for this reason: the last step that is configured for victims that do not die."""


class Revoker:
    """`boost` gives victims CPU to end. `listeners` are called in the event loop."""

    def __init__(
        self, config: RevocationSection, tree: Tree, boost: CpuBoost, pods: Table, listeners: Listeners
    ) -> None:
        self._config, self._tree, self._boost, self._pods = config, tree, boost, pods
        self._listeners = listeners
        self._runs: OrderedDict[RevocationId, _Run] = OrderedDict()
        self._followers: set[asyncio.Task[None]] = set()

    def take(self, document: object, actor: str = "") -> Taken:
        """Begin what `document` asks for, or find the revocation that has its id already. `actor` names who
        asks, for the log. Raises InvalidRequest, and Refused for an id that is another request's: the client would take
        the other's receipt for its own.
        """
        fresh = f"r-{uuid.uuid4().hex[:12]}"
        request = requests.parse(document, default_grace_s=self._config.grace_s, fresh_id=fresh)
        known = self._runs.get(request.id)
        if known is not None and not known.harmless:
            _check_same(request, known.request)
            return Taken(request.id, known.task, repeated=True)
        ladder = Ladder(request, self._pods, self._tree, self._boost, stuck_after_s=self._config.stuck_after_s)
        self._runs[request.id] = _Run(request, ladder, asyncio.ensure_future(self._carry_out(ladder, actor)))
        self._forget_oldest()
        return Taken(request.id, self._runs[request.id].task, repeated=False)

    async def outcome(self, taken: Taken) -> Receipt:
        """The receipt once there is one; of a revocation that was over already the newest. Raises what the task raises.

        The waiting task may be cancelled: the revocation goes on.
        """
        receipt = await asyncio.shield(taken.task)
        run = self._runs.get(taken.id)
        return run.now() if run is not None and run.task is taken.task and run.receipt is not None else receipt

    def _forget_oldest(self) -> None:
        """One that is still under way is never forgotten, and one that has ended pods only after those that touched
        nothing: a framework that asks for dry runs again and again must not make its revocation new.
        """
        over = sorted((run for run in self._runs.items() if run[1].task.done()), key=lambda run: not run[1].harmless)
        for identity, _ in over:
            if len(self._runs) <= REMEMBERED:
                return
            del self._runs[identity]

    def rehearsed(self, document: object) -> Ladder:
        """What `document` asks for, as a dry run that has not begun. Raises InvalidRequest."""
        request = requests.parse(document, default_grace_s=self._config.grace_s, fresh_id="rehearsal")
        return Ladder(replace(request, dry_run=True), self._pods, self._tree, self._boost, stuck_after_s=0)

    async def _carry_out(self, ladder: Ladder, actor: str) -> Receipt:
        request = ladder.request
        if (refusal := self._refused(ladder, actor)) is not None:
            del ladder  # what is raised holds this frame, for as long as the id is known
            raise refusal
        if not request.dry_run:
            self._listeners.proven(request)
        receipt = await self._descend(ladder)
        self._give(ladder, receipt)
        if receipt.state is State.STUCK:
            follower = asyncio.ensure_future(self._follow(ladder))
            self._followers.add(follower)
            follower.add_done_callback(self._followers.discard)
        return receipt

    def _refused(self, ladder: Ladder, actor: str) -> ExecutorError | None:
        """Prove that no regular pod is hit; else the refusal, without the frames that it passed: they hold pods."""
        request = ladder.request
        try:
            self._listeners.before()
            ladder.prove(partial(_tell_started, request, actor))
        except Exception as error:  # noqa: BLE001 - it is the answer
            refusal = _refusal(error).with_traceback(None)
            log.warning(
                "revocation refused", code="revocation.refused", revocation=request.id, actor=actor, error=str(refusal)
            )
            self._give(ladder, Receipt(request.id, request.reason, State.REFUSED, error=str(refusal)))
            refusal.__cause__ = refusal.__context__ = None
            return refusal
        return None

    async def _descend(self, ladder: Ladder) -> Receipt:
        """Always a receipt. If a step fails, the life cycle of each victim ends its pod, so that no victim keeps its
        resources.
        """
        try:
            return await ladder.descend(self._listeners.receipt)
        except Exception as error:
            identity = ladder.request.id
            if exhausted.tell(log, error) is None:
                log.exception("defect in a revocation", code="executor.defect", trigger="Descent", revocation=identity)
            for pod in ladder.alive:
                pod.stop(Stop(StopCause.REVOKED, 0.0, f"revoked by {identity}", identity, ladder.request.reason))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._config.stuck_after_s):
                    await ladder.all_ended()
            state = State.STUCK if ladder.alive else State.DONE
            return replace(ladder.receipt(), state=state, error=f"is not proven: {type(error).__name__}: {error}")

    async def _follow(self, ladder: Ladder) -> None:
        """After the receipt of a revocation with stuck victims: the last step, and word of their end."""
        if self._config.last_step == "shutdown" and not await ladder.kill_by_containerd():
            self._listeners.shut_down(f"revocation {ladder.request.id} has victims that do not die")
        await ladder.all_ended()
        log.info("victims that were stuck have ended", code="revocation.unstuck", revocation=ladder.request.id)
        self._give(ladder, ladder.receipt())

    def _give(self, ladder: Ladder, receipt: Receipt) -> None:
        run = self._runs.get(receipt.id)
        if run is not None and run.source is ladder:
            run.receipt = receipt
            if receipt.state is not State.STUCK:
                run.source = receipt
        self._listeners.receipt(receipt)

    def receipts(self) -> list[Receipt]:
        """Oldest first; one that is still running is in the state `running`."""
        return [self.receipt(identity) for identity in self._runs]

    def receipt(self, identity: RevocationId) -> Receipt:
        """Raises NotFound."""
        run = self._runs.get(identity)
        if run is None:
            hint = "mesos-pod-executor events --code revocation lists them"
            raise NotFound("no such revocation in this executor", subject=f"revocation {identity}", hint=hint)
        return run.now()


def _refusal(error: Exception) -> ExecutorError:
    """The error that the client gets when the proof fails: nothing was touched."""
    if isinstance(error, ExecutorError):
        return error
    if not isinstance(error, OSError):  # a CgroupError is one
        if (found := exhausted.tell(log, error)) is not None:
            return found
        log.error("defect in a revocation", code="executor.defect", trigger="Descent", exc_info=error)
    hint = "ask again when the node answers; single tasks can be killed through their scheduler"
    return CgroupFailure(f"the proof cannot be made: {error}", subject="revoke", hint=hint)


def _tell_started(request: Request, actor: str) -> None:
    """Log the start of a revocation that is carried out: a dry run and a refused request have events of their own."""
    if request.dry_run:
        return
    log.info(
        "revocation started",
        code="revocation.started",
        revocation=request.id,
        reason=request.reason,
        grace_s=request.grace_s,
        actor=actor,
    )


def _check_same(request: Request, known: Request) -> None:
    """But for the reason, which changes nothing on the node. Raises Refused."""
    if replace(request, reason=known.reason) != known:
        raise Refused(
            "is the id of another request, which asked for something else",
            subject=f"revocation {request.id}",
            hint="give each request an id of its own; send the same one again to get its receipt again",
        )
