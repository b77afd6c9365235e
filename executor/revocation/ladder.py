"""The ladder: how victims are ended, all at once, and what is measured while it happens.

    prove ─▶ [notice ─▶ CPU to the regular pods ─▶ SIGTERM, after each preStop hook ─▶ the grace] ─▶
    kill the whole subtree ─▶ wait until nothing lives there and nothing can come ─▶ compare the regular pods ─▶ receipt

Without a grace what stands in brackets is left out: no process could read the notice. Nor is anything frozen first: one
write to cgroup.kill stops 250 processes in 40 ms, and freezing them before took as long again.

Each victim's own life cycle hears a Stop and ends as with any other Stop; what the ladder adds is that it acts on
subtrees, so that the time to free does not grow with the number of pods, and that it proves what it did. A pod that
is being launched is a victim like the others: it is dead only when its launch is over as well. No request waits for
another one; a harder one overtakes, because a Stop with less grace does. A victim that does not die delays no other
one: their ends are reported as they come, and the receipt is given as it stands.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from cgroups import CgroupError, KillMethod, Limits
from cgroups.cpu import WEIGHT_MIN
from executor.log import get_logger
from executor.names import PodClass, TaskId
from executor.pod.life.events import Stop
from executor.pod.resources.cpu_boost import SOON_S
from executor.revocation import notice
from executor.revocation.account import Account, close_ended, last_moments
from executor.revocation.candidates import candidates
from executor.revocation.comparison import Comparison
from executor.revocation.proof import compared, prove
from executor.revocation.receipt import Left, Outcome, Receipt, State, Step
from executor.revocation.request import Request, Select
from executor.revocation.selection import select

if TYPE_CHECKING:
    from cgroups import Cgroup, Tree
    from executor.pod.resources.cpu_boost import CpuBoost
    from executor.revocation.pod import Pod

log = get_logger(__name__)


class Table(Protocol):
    """The living pods, those that ended lately, and the tasks of those that are not read yet."""

    def __iter__(self) -> Iterator[Pod]: ...

    @property
    def ended(self) -> Sequence[Pod]:
        """The pods that ended lately, at most as many as the configuration keeps."""

    @property
    def coming(self) -> Collection[TaskId]:
        """The tasks of launches that are not read yet."""


KILL_RESULT_S = 0.5
"""How long the victims' own life cycles wait for the result of the one kill before each looks after its pod."""
LATE_S = 1.0
"""When some victims still live this long after the kill, the ends of the others are reported."""


class Ladder:
    """One request on its way down the ladder: `prove`, `descend`, and for those that do not die `insist`."""

    def __init__(self, request: Request, pods: Table, tree: Tree, boost: CpuBoost, *, stuck_after_s: float) -> None:
        self.request = request
        self.accounts: list[Account] = []
        self.regular: list[Pod] = []
        """The regular pods that were there when the victims were chosen."""
        self._pods = pods
        self._tree = tree
        self._boost = boost
        self._stuck_after_s = stuck_after_s
        self._begin = time.monotonic()
        self._steps: list[Step] = []
        self._living = Outcome.NOTIFIED
        self._waits: set[asyncio.Task[None]] = set()
        self._comparison: Comparison | None = None

    @property
    def ms(self) -> float:
        """Milliseconds since the request was taken."""
        return (time.monotonic() - self._begin) * 1e3

    @property
    def alive(self) -> list[Pod]:
        """The victims that have not ended."""
        return [account.pod for account in self.accounts if account.alive]

    def prove(self, proven: Callable[[], None] = lambda: None) -> None:
        """Choose the victims, and show that no regular pod is among them; then call `proven`. Raises Refused or
        NotFound; nothing is touched.
        """
        begin = self.ms
        table = self._pods
        over = [*table.ended, *(pod for pod in table if pod.is_over)]
        living = {pod.id: pod for pod in table if not pod.is_over}
        ended = {task for pod in over for task in pod.spec.task_ids}
        chosen = select(self.request, candidates(self.request, living.values()), ended, table.coming)
        victims = [living[each.pod] for each in chosen]
        self.regular = [pod for pod in living.values() if pod.spec.pod_class is PodClass.REGULAR]
        self._before = prove(victims, living.values(), self._tree)
        self.accounts = [Account(pod) for pod in victims]
        proven()
        found = f"{_pods(victims, 'revocable')} selected, {_pods(self.regular, 'regular')} outside"
        self._step("proof", begin, found + self._late(ended))

    def _late(self, ended: Collection[TaskId]) -> str:
        want = self.request.want
        named = want.tasks if isinstance(want, Select) else ()
        found = sum(task in ended for task in named)
        return f"; {found} of the {len(named)} named tasks had ended already" if found else ""

    async def descend(self, on_late: Callable[[Receipt], None]) -> Receipt:
        """Every rung after the proof. `on_late` gets the receipt so far if victims are late. Always a receipt."""
        if self.request.dry_run:
            return self.receipt()
        self._waits = {asyncio.ensure_future(self._await_end(account)) for account in self.accounts}
        stop = self.request.stop
        if self.request.grace_s > 0 and self._waits:
            await self._terminate(stop)
        if self.alive:
            with self._boost.after(SOON_S):
                await self._kill(stop)
                late_s = min(LATE_S, self._stuck_after_s)
                if not await self._ended(late_s) and len(self.alive) < len(self.accounts):
                    on_late(self.receipt())
                await self._ended(self._stuck_after_s - late_s)
        await self._finish()
        return self.receipt()

    async def _terminate(self, stop: Stop) -> None:
        """Tell them, take their CPU, ask them to end, and wait for that as long as the grace is."""
        self._give_notice()
        self._take_cpu()
        begin = self.ms
        for pod in self.alive:
            pod.stop(stop)
        await asyncio.sleep(0)  # their inboxes are read now
        self._step("terminate", begin, f"SIGTERM to {_pods(self.accounts)}, {self.request.grace_s:g} s of grace")
        await asyncio.wait(self._waits, timeout=self.request.grace_s)

    def _give_notice(self) -> None:
        begin, now = self.ms, datetime.now(UTC)
        for account in self.accounts:
            try:
                account.notified = notice.write(account.pod.files, self.request, now)
            except OSError as error:
                log.warning(
                    "could not give notice", code="revocation.notice_failed", pod=account.pod.id, error=str(error)
                )
        notified = [account for account in self.accounts if account.notified]
        self._step("notice", begin, f"readable in {_pods(notified)} of {len(self.accounts)}")

    def _take_cpu(self) -> None:
        """The revocable class has the least weight at any time; its victims now have the least within it as well."""
        begin, done = self.ms, []
        for pod in self.alive:
            try:
                pod.cgroup.apply(Limits(cpu_weight=WEIGHT_MIN))
                done.append(pod)
            except CgroupError:  # it is being made or removed: nothing runs there
                continue
        self._step("cpu", begin, f"the least weight for {_pods(done)}")

    async def _kill(self, stop: Stop) -> None:
        """One kill for all. No await stands between it and the choice of its targets, so that nothing can slip in; the
        pods' own life cycles hold theirs back until it is known how it went.
        """
        begin, alive, emptied = self.ms, self.alive, asyncio.Event()
        targets = self.targets(alive)
        methods = [_kill(cgroup) for cgroup in targets]
        self._living = Outcome.DYING
        for pod in alive:
            pod.kill(stop, None if pod.launching else emptied)
        self._step("kill", begin, f"{_pods(alive)}: {', '.join(sorted(set(methods)))}")
        wait_s = min(KILL_RESULT_S, self._stuck_after_s)
        try:
            waits = (cgroup.wait_unpopulated(wait_s) for cgroup in targets)
            empty = all(done is True for done in await asyncio.gather(*waits, return_exceptions=True))
            with contextlib.suppress(OSError):  # the pods' own life cycles look again
                ms = self.ms
                await last_moments(alive)
                has_ended = partial(_has_ended, emptied=empty)
                await close_ended(self.accounts, has_ended, lambda: ms if empty else self.ms)
        finally:
            emptied.set()

    def targets(self, alive: Sequence[Pod]) -> list[Cgroup]:
        """The fewest cgroups that hold these and nothing else: whole subtrees, unless a pod came into one since."""
        want, tops = self.request.want, []
        if isinstance(want, Select) and want.everything:
            tops = [self._tree.subtree(PodClass.REVOCABLE)]
        if isinstance(want, Select) and want.roles:
            tops = [self._tree.role(PodClass.REVOCABLE, role) for role in want.roles]
        ids = {pod.id for pod in alive}
        others = [each.cgroup.path for each in self._pods if each.id not in ids and not each.dead.is_set()]
        if tops and not any(path.startswith(f"{top.path}/") for top in tops for path in others):
            return tops
        return [pod.cgroup for pod in alive]

    async def kill_by_containerd(self) -> bool:
        """The last step for the victims alone: containerd kills them too. Whether all ended in time."""
        begin = self.ms
        await asyncio.gather(*(pod.kill_by_containerd() for pod in self.alive))
        ended = await self._ended(self._stuck_after_s)
        self._step("insist", begin, "all have ended" if ended else f"{_pods(self.alive)} left by containerd's kill")
        return ended

    async def all_ended(self) -> None:
        """However long it takes."""
        await self._ended(None)

    async def _ended(self, timeout_s: float | None) -> bool:
        """Whether every victim ended in time."""
        if self.alive:
            await asyncio.wait(self._waits, timeout=None if timeout_s is None else max(0.0, timeout_s))
        return not self.alive

    async def _await_end(self, account: Account) -> None:
        await account.pod.dead.wait()
        account.close(self.ms)

    async def _finish(self) -> None:
        begin = self.ms
        comparison = await compared(self._before, self.regular)
        self._living, self._comparison = Outcome.STUCK, comparison
        dead = [account for account in self.accounts if not account.alive]
        left = f", {len(self.alive)} still alive" if self.alive else ""
        self._step("dead", begin, f"{_pods(dead)} without a process{left}")

    def receipt(self) -> Receipt:
        """As it stands now."""
        request = self.request
        living = Outcome.WOULD_END if request.dry_run else self._living
        over = self._comparison is not None
        state = State.RUNNING if not over else State.STUCK if self.alive else State.DONE
        return Receipt(
            id=request.id,
            reason=request.reason,
            state=State.DRY_RUN if request.dry_run else state,
            victims=tuple(account.victim(living, self.ms) for account in self.accounts),
            time_to_free_ms=max((account.ended_ms or 0.0 for account in self.accounts), default=0.0),
            left=self._left() if over else None,
            regular=self._comparison,
            steps=tuple(self._steps),
        )

    def _left(self) -> Left:
        gone = {account.pod.id for account in self.accounts if not account.alive}
        others = [
            pod
            for pod in self._pods
            if pod.spec.pod_class is PodClass.REVOCABLE and not pod.dead.is_set() and pod.id not in gone
        ]
        cpus = sum(pod.spec.resources.cpus for pod in others)
        try:
            mem_bytes = self._tree.subtree(PodClass.REVOCABLE).memory_bytes() or 0
        except CgroupError:
            mem_bytes = 0
        return Left(len(others), cpus, mem_bytes)

    def _step(self, name: str, begin_ms: float, effect: str) -> None:
        ms = self.ms
        self._steps.append(Step(name, ms, ms - begin_ms, effect))
        if self.request.dry_run:
            return  # nothing was done
        log.info(
            "revocation step",
            code="revocation.step",
            revocation=self.request.id,
            step=name,
            effect=effect,
            duration_ms=round(ms - begin_ms, 1),
        )


def _has_ended(pod: Pod, *, emptied: bool) -> bool:
    """Nothing lives in its cgroup, its first processes have ended, wherever they are, and nothing can come."""
    populated = not emptied and pod.cgroup.populated()
    return not (pod.launching or populated or pod.living_first_pids())


def _kill(cgroup: Cgroup) -> str:
    """One write; who lives on in a v1 hierarchy only, or is frozen there, is the pods' own life cycles' to find."""
    try:
        return KillMethod.KILL_FILE if cgroup.write_kill_file() else cgroup.kill().method
    except OSError as error:  # a CgroupError is one; the pods' own life cycles go on killing
        log.warning("could not kill a subtree", code="revocation.kill_failed", cgroup=cgroup.path, error=str(error))
        return "failed"


def _pods(pods: Sized, kind: str = "") -> str:
    return f"{len(pods)} {kind}{' ' if kind else ''}pod{'' if len(pods) == 1 else 's'}"
