"""One pod on a simulated machine, of the parts that a real one is made of, checked at each event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from executor.log import get_logger
from executor.names import PodClass, PodId
from executor.own_directory import OwnDirectory
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
    ContainerExited,
    ContainerStarted,
    Dead,
    Event,
    GraceOver,
    OutputCollected,
    SandboxReady,
    SetUpFailed,
    StartFailed,
    Stop,
    StopCause,
    TornDown,
)
from executor.pod.life.model import Phase, Pod, State
from executor.pod.performer import Performer
from executor.pod.release.retries import PAUSES_S
from tests.soak.month.groups import SimCgroup, SimTree
from tests.soak.month.node import Behaviour, BrokenRuleError, Machine, SimContainers, SimSandbox
from tests.soak.month.processes import Process, Processes
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
PREEMPTED = "REASON_CONTAINER_PREEMPTED"
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
        tree: SimTree,
    ) -> None:
        self.id, self.spec, self._machine, self._report = pod, spec, machine, report
        self.log = get_logger(__name__).bind(pod=pod, task=spec.task_ids[0])
        self.used_bytes = 0
        self._kernel = Processes(machine, self._tell)
        self.processes, self.oom_kills = self._kernel.living, self._kernel.oom_kills
        self._asked = self._is_victim = False
        self.held = machine.held.setdefault(pod, set())
        self._open: dict[type[Any], int] = dict.fromkeys(ENDS, 0)
        own = SimCgroup(machine, f"/{spec.pod_class}/{spec.role}/{pod}", lambda: (self,))
        self.sandbox = SimSandbox(machine, self, own)
        self.containers = SimContainers(machine, self, behaviour)
        self._inbox = CheckedInbox(spec, self.log, {}, machine.release_pace.pause_between_pods)
        self._inbox.check = self._check
        self._evidence = Evidence(tree, pod, spec, self.containers.run_of, self.log)  # type: ignore[arg-type]
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

    # --- for a revocation (executor.revocation.pod) ----------------------------------------------------------

    @property
    def cgroup(self) -> SimCgroup:
        return self.sandbox.cgroup

    @property
    def files(self) -> OwnDirectory:
        """It has none: no notice is read."""
        return OwnDirectory("/nonexistent", self.id)

    @property
    def dead(self) -> asyncio.Event:
        return self._performer.dead

    @property
    def launching(self) -> bool:
        return self.pod.state is State.NEW or bool(self._performer.under_way)

    @property
    def is_over(self) -> bool:
        return self.pod.state in (State.TEARING_DOWN, State.ENDED)

    @property
    def ended_by_itself(self) -> bool:
        return self.pod.exited

    @property
    def ended_pids(self) -> frozenset[int]:
        return frozenset(self.pod.ended_pids)

    def first_pids(self) -> list[int]:
        return [each.pid for each in self.pod.containers.values() if each.pid is not None]

    def started_pids(self) -> list[int]:
        return sorted(self.processes)

    living_first_pids = started_pids

    def keeper_pid(self) -> int | None:
        return None

    def is_in_last_moments(self) -> bool:
        return False

    def stop(self, stop: Stop) -> None:
        self.post(stop)

    def kill(self, stop: Stop, killed: asyncio.Event | None) -> None:
        self._asked = True
        if killed is not None:
            self._inbox.hold(killed)
        self.post(stop)
        self.post(GraceOver())

    async def kill_by_containerd(self) -> None:
        await self.containers.kill_all()

    def be_killed_with_others(self) -> None:
        """By the one kill of a revocation, which has asked this pod to end, or does so at once."""
        if self.spec.pod_class is not PodClass.REVOCABLE:
            raise BrokenRuleError(f"{self.id} is regular, and is killed by a revocation")
        runs = all(each.phase is Phase.RUNNING for each in self.pod.containers.values())
        whole = len(self.processes) == len(self.spec.containers)
        if runs and whole and self.pod.stop is None and self.pod.outcome is None:
            self._is_victim = True
        for process in list(self.processes.values()):
            self.kill_process(process)
        asyncio.get_running_loop().call_soon(self._check_asked)

    def _check_asked(self) -> None:
        if not (self._asked or self.is_over or self.dead.is_set()):
            self._machine.broken.append(BrokenRuleError(f"{self.id} is killed by a revocation that does not want it"))

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
            self._kernel.close()
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

    def begin_process(self, container: str, pid: int, behaviour: Behaviour) -> None:
        self._kernel.begin(Process(container, pid), behaviour)

    def signal(self, container: str, run: int) -> None:
        """SIGTERM."""
        current = self.containers.run_of(container)
        if current is not None and current.run == run and current.pid in self.processes:
            self._kernel.terminate(self.processes[current.pid])

    def kill_process(self, process: Process) -> None:
        """SIGKILL."""
        self._kernel.kill(process)

    def _tell(self, process: Process, code: int) -> None:
        """By containerd's event stream; while it is away, by the look-up once it is back."""
        if not self._machine.containerd_up.is_set():
            asyncio.get_running_loop().call_later(0.5, self._tell, process, code)
            return
        if self.pod.state is State.ENDED:
            return
        event = self._evidence.read(process.container, code, process.pid, pod_ends=self._inbox.is_ending)
        if event is not None:
            self._check_memory(process, event)
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

    def _check_memory(self, process: Process, event: ContainerExited) -> None:
        found = event.oom is not None
        if found is not process.oom and (found or not self._inbox.is_ending):
            text = f"{self.id}/{process.container} ended{'' if process.oom else ' not'} for memory: {event}"
            self._machine.broken.append(BrokenRuleError(text))

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
        if self._is_victim and (self.pod.outcome is None or self.pod.outcome.reason != PREEMPTED):
            raise BrokenRuleError(f"{self.id} was ended by a revocation, and its outcome is {self.pod.outcome}")
        if set(self.spec.task_ids) != self.pod.reported:
            raise BrokenRuleError(f"{self.id} has ended, and reported only {self.pod.reported}")
        if self.containers.tries > TRIES_MAX:
            raise BrokenRuleError(f"{self.id} was torn down {self.containers.tries} times")
