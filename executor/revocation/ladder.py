"""The ladder: how victims are ended, all at once, and what is measured while it happens.

    prove ─▶ stop every victim (SIGTERM within its grace; none: at once) ─▶ at the deadline kill the whole subtree ─▶
    wait until nothing lives there and nothing can come ─▶ compare the regular pods ─▶ receipt

Each victim's own life cycle hears a Stop and ends as with any other Stop; what the ladder adds is that it acts on
subtrees, so that the time to free does not grow with the number of pods, and that it proves what it did. A pod that
is being launched is a victim like the others: it is dead only when its launch is over as well. No request waits for
another one; a harder one overtakes, because a Stop with less grace does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cgroups import CgroupError
from executor.errors import ExecutorError
from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.pod.model import State, Stop, StopCause
from executor.revocation.comparison import Comparison, PodProcesses, compare
from executor.revocation.proof import check_placement, photograph
from executor.revocation.receipt import Outcome, Receipt, Step, Victim
from executor.revocation.request import Request, Select
from executor.revocation.selection import Candidate, select

if TYPE_CHECKING:
    from cgroups import Cgroup, Tree
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

Pods = Callable[[], "Iterable[PodRunner]"]


@dataclass
class _Run:
    """One request on its way down the ladder."""

    request: Request
    begin: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)
    ends_ms: dict[PodId, float] = field(default_factory=dict)

    @property
    def ms(self) -> float:
        return (time.monotonic() - self.begin) * 1e3

    def step(self, name: str, effect: str) -> None:
        self.steps.append(Step(name, self.ms, effect))
        log.info(
            "revocation step",
            code="revocation.step",
            revocation=self.request.id,
            step=name,
            effect=effect,
            duration_ms=round(self.ms, 1),
        )


async def descend(request: Request, pods: Pods, tree: Tree, *, stuck_after_s: float) -> Receipt:
    """Carry `request` out. `pods` are all pods of this executor; `stuck_after_s` counts from the kill.

    Raises Refused or NotFound before anything was touched; after that it always returns a receipt.
    """
    run = _Run(request)
    living = {runner.id: runner for runner in pods() if runner.pod.state not in (State.TEARING_DOWN, State.ENDED)}
    victims = [living[chosen.pod] for chosen in select(request, [candidate(runner) for runner in living.values()])]
    regular = [runner for runner in living.values() if runner.spec.pod_class is PodClass.REGULAR]
    check_placement(
        {runner.id: runner.spec.pod_class for runner in victims},
        (pod for _, pod in tree.walk(PodClass.REVOCABLE)),
        (runner.id for runner in regular),
    )
    before = _photographs(regular)
    run.step("proof", f"{len(victims)} revocable pods selected; {len(regular)} regular pods lie outside")
    if request.dry_run:
        spared = tuple(Victim(runner.id, runner.spec.task_ids, Outcome.SPARED, 0.0) for runner in victims)
        return Receipt(request.id, request.reason, "dry-run", spared, *_held(victims), steps=tuple(run.steps))
    held_cpus, held_bytes = _held(victims)
    await _end(run, victims, pods, tree, stuck_after_s)
    comparison = compare(before, _photographs(regular))
    return _receipt(run, victims, held_cpus, held_bytes, comparison)


def candidate(runner: PodRunner) -> Candidate:
    """What selection needs to know of a living pod."""
    spec = runner.spec
    return Candidate(
        pod=runner.id,
        tasks=spec.task_ids,
        pod_class=spec.pod_class,
        role=spec.role,
        labels=tuple(sorted(spec.labels.items())),
        priority=spec.priority,
        cpus=spec.resources.cpus,
        mem_bytes=spec.resources.mem_bytes,
        lost_work_s=time.time() - runner.started_at,
    )


async def _end(run: _Run, victims: Sequence[PodRunner], pods: Pods, tree: Tree, stuck_after_s: float) -> None:
    """Every rung after the proof."""
    request = run.request
    waits = {asyncio.ensure_future(_await_end(run, runner)) for runner in victims}
    stop = Stop(StopCause.REVOKED, request.grace_s, _message(request), request.id)
    if request.grace_s > 0 and waits:
        for runner in victims:
            runner.post(stop)
        run.step("terminate", f"SIGTERM to {len(victims)} pods, {request.grace_s:g} s of grace")
        await asyncio.wait(waits, timeout=request.grace_s)
    alive = [runner for runner in victims if runner.id not in run.ends_ms]
    if alive:
        await _kill_all(run, alive, stop, _targets(request, alive, pods, tree), stuck_after_s)
        left_s = stuck_after_s - (run.ms / 1e3 - request.grace_s)
        await asyncio.wait(waits, timeout=max(0.0, left_s))
    for wait in waits:
        wait.cancel()
    left = len(victims) - len(run.ends_ms)
    run.step("dead", f"{len(run.ends_ms)} pods without a process" + (f", {left} still alive" if left else ""))


async def _kill_all(
    run: _Run, alive: Sequence[PodRunner], stop: Stop, targets: Sequence[Cgroup], stuck_after_s: float
) -> None:
    """One blow for all. No await stands between it and the choice of its targets, so that nothing can slip in; the
    pods' own life cycles hold theirs back until it is known how it went.
    """
    emptied = asyncio.Event()
    methods = [_kill(cgroup) for cgroup in targets]
    for runner in alive:
        runner.struck = None if runner.launching else emptied
        runner.post(stop)
    run.step("kill", f"{len(alive)} pods: {', '.join(sorted(set(methods)))}")
    await asyncio.gather(*(cgroup.wait_unpopulated(stuck_after_s) for cgroup in targets))
    for runner in alive:
        if not runner.launching and not runner.sandbox.cgroup.populated():
            run.ends_ms[runner.id] = run.ms
    emptied.set()


async def _await_end(run: _Run, runner: PodRunner) -> None:
    await runner.dead.wait()
    run.ends_ms.setdefault(runner.id, run.ms)


def _targets(request: Request, alive: Sequence[PodRunner], pods: Pods, tree: Tree) -> list[Cgroup]:
    """The fewest cgroups that hold these victims and nothing else: whole subtrees, unless a pod came into one since."""
    tops: list[Cgroup] = []
    if isinstance(request.want, Select) and request.want.everything:
        tops = [tree.subtree(PodClass.REVOCABLE)]
    if isinstance(request.want, Select) and request.want.roles:
        tops = [tree.role(PodClass.REVOCABLE, role) for role in request.want.roles]
    ids = {runner.id for runner in alive}
    others = [runner.sandbox.cgroup.path for runner in pods() if runner.id not in ids and not runner.dead.is_set()]
    if tops and not any(path.startswith(f"{top.path}/") for top in tops for path in others):
        return tops
    return [runner.sandbox.cgroup for runner in alive]


def _kill(cgroup: Cgroup) -> str:
    try:
        return cgroup.kill().method
    except CgroupError as error:  # the pods' own life cycles go on killing
        log.warning("could not kill a subtree", code="revocation.kill_failed", cgroup=cgroup.path, error=str(error))
        return "failed"


def _photographs(regular: Iterable[PodRunner]) -> dict[PodId, PodProcesses]:
    found = {}
    for runner in regular:
        found[runner.id] = photograph(runner.id, runner.containers.pids(), runner.sandbox.cgroup.witnessed())
    return found


def _held(victims: Iterable[PodRunner]) -> tuple[float, int]:
    """The cpus that Mesos has accounted to the victims, and the memory that they really use."""
    cpus, used = 0.0, 0
    for runner in victims:
        cpus += runner.spec.resources.cpus
        used += runner.measure()
    return cpus, used


def _receipt(run: _Run, victims: Sequence[PodRunner], cpus: float, used: int, comparison: Comparison) -> Receipt:
    grace_ms = run.request.grace_s * 1e3
    told = []
    for runner in victims:
        ms = run.ends_ms.get(runner.id)
        if ms is None:
            told.append(
                Victim(runner.id, runner.spec.task_ids, Outcome.STUCK, run.ms, tuple(runner.sandbox.cgroup.pids()))
            )
        else:
            outcome = Outcome.EXITED if ms < grace_ms else Outcome.KILLED
            told.append(Victim(runner.id, runner.spec.task_ids, outcome, ms))
    stuck = [runner for runner in victims if runner.id not in run.ends_ms]
    stuck_cpus, stuck_bytes = _held(stuck)
    return Receipt(
        id=run.request.id,
        reason=run.request.reason,
        state="stuck" if stuck else "done",
        victims=tuple(told),
        freed_cpus=cpus - stuck_cpus,
        freed_mem_bytes=max(0, used - stuck_bytes),
        time_to_free_ms=max(run.ends_ms.values(), default=0.0),
        regular=comparison,
        steps=tuple(run.steps),
    )


def _message(request: Request) -> str:
    return f"revoked by {request.id}" + (f": {request.reason}" if request.reason else "")


def refused(request: Request, error: ExecutorError) -> Receipt:
    """The receipt of a request that was not carried out."""
    return Receipt(request.id, request.reason, "refused", error=str(error))
