"""One pod on a simulated machine, of the parts that a real one is made of, checked at each event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.pod.exits.evidence import Evidence
from executor.pod.inbox import Inbox
from executor.pod.life.effects import (
    CollectOutput,
    Destroy,
    Effect,
    Report,
    SetUp,
    Start,
    TearDown,
)
from executor.pod.life.events import (
    ContainerStarted,
    Dead,
    Event,
    OutputCollected,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    Stop,
    StopCause,
    TornDown,
)
from executor.pod.life.model import Pod, State
from executor.pod.performer import Performer
from executor.pod.release.retries import PAUSES_S
from tests.soak.month.node import (
    SIGKILL,
    SIGTERM,
    STUCK_S,
    Behaviour,
    BrokenRuleError,
    Machine,
    Process,
    SimContainers,
    SimSandbox,
    SimTree,
)
from tests.support.mesos.messages import TERMINAL

if TYPE_CHECKING:
    from executor.spec.model import PodSpec

ORDER = list(State)
ENDS: dict[type[Any], tuple[type[Any], ...]] = {
    SetUp: (SandboxReady, SetUpFailed),
    Start: (ContainerStarted, StartFailed),
    CollectOutput: (OutputCollected,),
    Destroy: (Dead,),
    TearDown: (TornDown,),
}
"""Effects, and the events in which they end."""
TRIES_MAX = 4 + len(PAUSES_S) + 1
RUNS_MAX = 10_000


class CheckedInbox(Inbox):
    """`check` is called after each event that the life cycle has taken, with the pod before it."""

    check: Callable[[Event, Pod], None]

    def _take(self, event: Event, perform: Callable[[Effect], None]) -> None:
        before = self.pod
        super()._take(event, perform)
        self.check(event, before)


class SimPod:
    """As `executor.pod.runner.PodRunner`, and made of the same parts."""

    def __init__(
        self,
        machine: Machine,
        pod: PodId,
        spec: PodSpec,
        behaviour: Callable[[str, int], Behaviour],
        report: Callable[[Any, Report], None],
    ) -> None:
        self.id, self.spec, self._machine, self._report = pod, spec, machine, report
        self.log = get_logger(__name__).bind(pod=pod, task=spec.task_ids[0])
        self.used_bytes = 0
        self.processes: dict[int, Process] = {}
        self._stop_s: dict[int, float | None] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self.held = machine.held.setdefault(pod, set())
        self._open: dict[type[Any], int] = dict.fromkeys(ENDS, 0)
        self.sandbox = SimSandbox(machine, self)
        self.containers = SimContainers(machine, self, behaviour)
        self._inbox = CheckedInbox(spec, self.log, {}, machine.release_pace.pause_between_pods)
        self._inbox.check = self._check
        self._evidence = Evidence(SimTree(), pod, spec, self.containers.run_of, self.log)  # type: ignore[arg-type]
        self._performer = Performer(
            machine,  # type: ignore[arg-type] # the parts of a Node that it uses
            spec,
            self.sandbox,  # type: ignore[arg-type]
            self.containers,  # type: ignore[arg-type]
            self._evidence,
            self.post,
            self.log,
            {},
        )

    # --- as PodRunner ----------------------------------------------------------------------------------------

    @property
    def pod(self) -> Pod:
        return self._inbox.pod

    @property
    def age_s(self) -> float:
        return self._inbox.age_s

    @property
    def is_stopping(self) -> bool:
        return self.pod.stop is not None

    @property
    def tear_down(self) -> Any:
        return self._performer.tear_down

    def measure(self) -> int:
        return 1 << 20

    def post(self, event: Event) -> None:
        for effect, ends in ENDS.items():
            if isinstance(event, ends):
                self._open[effect] -= 1
        self._inbox.post(event)

    async def run(self) -> None:
        try:
            await self._inbox.run(self._perform)
            self._check_end()
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._performer.close()

    def _perform(self, effect: Effect) -> None:
        if type(effect) in self._open:
            self._open[type(effect)] += 1
        if isinstance(effect, Report):
            self._check_report(effect)
            self._report(self, effect)
        else:
            self._performer.perform(effect)

    # --- its processes ---------------------------------------------------------------------------------------

    def begin_process(self, process: Process, behaviour: Behaviour) -> None:
        self.processes[process.pid] = process
        self._stop_s[process.pid] = behaviour.stop_s
        ends_s, code = behaviour.ends_s, behaviour.exit_code
        if self._machine.happens(self._machine.rates.shim_deaths_part, "shim: killed"):
            ends_s, code = self._machine.chance.uniform(0, ends_s), SIGKILL
        self._ends_in(process, ends_s, code)

    def signal(self, container: str, run: int) -> None:
        """SIGTERM."""
        current = self.containers.run_of(container)
        if current is None or current.run != run or current.pid not in self.processes:
            return
        stop_s = self._stop_s[current.pid]
        if stop_s is not None:
            self._ends_in(self.processes[current.pid], stop_s, SIGTERM)

    def kill_process(self, process: Process) -> None:
        """SIGKILL, which one in uninterruptible sleep takes late."""
        if process.stuck:
            return
        delay_s = 0.005
        if self._machine.happens(self._machine.rates.stuck_part, "process: stuck"):
            process.stuck = True
            delay_s = self._machine.chance.uniform(*STUCK_S)
        self._ends_in(process, delay_s, SIGKILL)

    def _ends_in(self, process: Process, delay_s: float, code: int) -> None:
        loop, timer = asyncio.get_running_loop(), self._timers.pop(process.pid, None)
        if timer is not None:
            if timer.when() <= loop.time() + delay_s:
                self._timers[process.pid] = timer
                return
            timer.cancel()
        self._timers[process.pid] = loop.call_later(delay_s, self._ended, process, code)

    def _ended(self, process: Process, code: int) -> None:
        self._timers.pop(process.pid, None)
        self.processes.pop(process.pid, None)
        told = 2 if self._machine.happens(self._machine.rates.repeated_exits_part, "exit: told twice") else 1
        for _ in range(told):
            asyncio.get_running_loop().call_later(self._machine.chance.uniform(0.001, 0.05), self._tell, process, code)

    def _tell(self, process: Process, code: int) -> None:
        """By containerd's event stream; while it is away, by the look-up once it is back."""
        if not self._machine.containerd_up.is_set():
            asyncio.get_running_loop().call_later(0.5, self._tell, process, code)
            return
        if self.pod.state is State.ENDED:
            return
        self.containers.ran(process.container)
        event = self._evidence.read(process.container, code, process.pid, pod_ends=self._inbox.is_ending)
        if event is not None:
            self.post(event)

    # --- what must hold --------------------------------------------------------------------------------------

    def _check(self, event: Event, before: Pod) -> None:
        self._machine.counts["events"] += 1
        after = self.pod
        if ORDER.index(after.state) < ORDER.index(before.state):
            raise BrokenRuleError(f"{self.id} goes back from {before.state} to {after.state} by {event}")
        if not before.reported <= after.reported:
            raise BrokenRuleError(f"{self.id} forgets what was reported, by {event}")
        if before.outcome is not None and after.outcome != before.outcome:
            raise BrokenRuleError(f"{self.id} changes its outcome, by {event}")
        is_revoked = isinstance(event, Stop) and event.cause is StopCause.REVOKED
        if is_revoked and self.spec.pod_class is not PodClass.REVOCABLE:
            raise BrokenRuleError(f"{self.id} is regular, and is revoked")
        if after.state is State.DESTROYING and before.state is not State.DESTROYING:
            ended = all(not each.run or each.exit_code is not None for each in after.containers.values())
            if after.stop is None and after.outcome is None and not ended:
                raise BrokenRuleError(f"{self.id} is killed without a cause, by {event}")
        if any(each.run > RUNS_MAX for each in after.containers.values()):
            raise BrokenRuleError(f"{self.id} is restarted without an end")

    def _check_report(self, report: Report) -> None:
        whole = len(self.spec.task_ids) == 1
        if report.state.value in TERMINAL and whole and self.processes:
            raise BrokenRuleError(f"{self.id} is reported as {report.state} while it lives")

    def _check_end(self) -> None:
        if self.processes:
            raise BrokenRuleError(f"{self.id} has ended, and its processes {self.processes} live")
        if self.held and not self.pod.leaked:
            raise BrokenRuleError(f"{self.id} has ended, nothing leaked, and there is {self.held}")
        if left := [name.__name__ for name in (SetUp, Start, Destroy, TearDown) if self._open[name] > 0]:
            raise BrokenRuleError(f"{self.id} has ended, and these have not: {left}")
        if set(self.spec.task_ids) != self.pod.reported:
            raise BrokenRuleError(f"{self.id} has ended, and reported only {self.pod.reported}")
        if self.containers.tries > TRIES_MAX:
            raise BrokenRuleError(f"{self.id} was torn down {self.containers.tries} times")
