"""Machines, the work that a framework gives them, and what fails; all of it by one seed."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from executor import log
from executor.log import journal_files, timeline
from executor.log.journal import Journal
from executor.names import PodClass
from tests.soak.month.agent import SimAgent
from tests.soak.month.clock import run as run_virtual
from tests.soak.month.executor import Launch, SimExecutor, revoke
from tests.soak.month.node import BrokenRuleError, Machine
from tests.soak.month.outcome import Outcome
from tests.soak.month.rates import Rates
from tests.soak.month.scheduler import SimScheduler
from tests.soak.month.work import KINDS, named, template

DEFECTS = frozenset({"pod.illegal_transition", "executor.defect", "pod.defect"})
ALIVE_MAX = 60
JOURNAL_BYTES = 1 << 20
REBOOT_S = (60.0, 900.0)
RACK_DOWN_S = (3600.0, 6 * 3600.0)
RACK = 50
SETTLE_S = 4 * 3600.0
"""After the last launch: more than any retry and any deadline takes."""


def simulate(seed: int, *, machines: int, hours: float, rates: Rates) -> Outcome:
    """Raises BrokenRuleError at the first rule that is broken."""
    cluster = Cluster(seed, machines, hours, rates)
    remove, before = log.add_sink(cluster.note), log.level()
    log.set_level("error")  # events reach `note` anyway
    try:
        outcome = run_virtual(cluster.run())
        cluster.check_journal()
        return outcome
    finally:
        remove()
        log.set_level(before)
        cluster.close()


class Cluster:
    def __init__(self, seed: int, machines: int, hours: float, rates: Rates) -> None:
        self.chance = random.Random(seed)
        self.hours, self.rates = hours, rates
        self.scheduler = SimScheduler()
        self.counts = Counter[str]()
        self._digest = hashlib.sha256()
        self._count = machines
        self._places: list[Place] = []
        self._numbers = 0
        self._directory = Path(tempfile.mkdtemp(prefix="mpe-month-"))
        self._journal = Journal(self._directory / journal_files.FILE, max_bytes=JOURNAL_BYTES, kept=100)
        self.defects: list[str] = []
        self.journaled: set[str] = set()
        """Pods of the first machine, whose events a real journal keeps."""

    def close(self) -> None:
        self._journal.close()
        shutil.rmtree(self._directory)

    def check_journal(self) -> None:
        """What the files have is whole: every line in its order, one end for each pod, and a timeline of it."""
        found = journal_files.read(self._directory)
        if [each["seq"] for each in found] != list(range(found[0]["seq"], found[-1]["seq"] + 1)):
            raise BrokenRuleError("lines of the journal are lost")
        if found[-1]["seq"] != self._journal.last_seq or self._journal.failure:
            raise BrokenRuleError(f"the end of the journal is lost: {self._journal.failure}")
        ends = Counter(each["pod"] for each in found if each["code"] == "pod.ended")
        if more := [pod for pod, count in ends.items() if count > 1]:
            raise BrokenRuleError(f"pods with several ends in the journal: {more}")
        for pod in list(ends)[:100]:
            if not timeline.collapsed(timeline.timeline(found, pod)):
                raise BrokenRuleError(f"{pod} has no timeline")

    def note(self, record: Mapping[str, Any]) -> None:
        """Each line of the log: a part of the digest, and no defect."""
        code = str(record.get("code", ""))
        self.counts[f"log: {code}"] += 1
        at_s = asyncio.get_running_loop().time()
        self._digest.update(f"{at_s:.6f} {code} {record.get('pod', '')} {record.get('state', '')}\n".encode())
        if record.get("pod") in self.journaled:
            self._journal.append(record)
        if code in DEFECTS:  # an exception of a sink would end nothing
            self.defects.append(f"{dict(record)}")

    async def run(self) -> Outcome:
        self._places = [Place(self, number) for number in range(self._count)]
        async with asyncio.TaskGroup() as group:
            works = [group.create_task(work) for place in self._places for work in place.works()]
            works.append(group.create_task(self._racks()))
            await asyncio.sleep(self.hours * 3600)
            for work in works:
                work.cancel()
        for place in self._places:
            await place.recover()
        await self._settle()
        ended = dict(self.scheduler.ends)
        tasks = len(self.scheduler.tasks)
        return Outcome(
            self._count, self.hours, tasks, ended, self.counts, self.scheduler.updates, self._digest.hexdigest()[:16]
        )

    async def _settle(self) -> None:
        """Kill what runs; then nothing may be open."""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + SETTLE_S
        while loop.time() < deadline_s:
            for name in self.scheduler.open():
                self._places[int(name.partition(".")[0])].kill(name, 1.0)
            await asyncio.sleep(60)
            if not self._left():
                return
        raise BrokenRuleError(f"after {SETTLE_S / 3600:g} hours this is open: {self._left()[:10]}")

    def check(self) -> None:
        """Raises BrokenRuleError for a defect that the log tells of."""
        if self.defects:
            raise BrokenRuleError(f"a defect: {self.defects[0]}")

    def _left(self) -> list[str]:
        self.check()
        found = [f"task {name} has no end" for name in self.scheduler.open()]
        for place in self._places:
            place.executor.check()
            found += place.executor.settled()
            found += [
                f"{pod} of machine {place.number} holds {held}" for pod, held in place.machine.held.items() if held
            ]
        return found

    async def _racks(self) -> None:
        while True:
            await asyncio.sleep(self.chance.expovariate(self.rates.rack_failures_h * self._count / 3600))
            self.counts["rack: failed"] += 1
            first = self.chance.randrange(max(1, self._count - RACK + 1))
            down_s = self.chance.uniform(*RACK_DOWN_S)
            for place in self._places[first : first + RACK]:
                place.fail(down_s)

    def next_name(self, place: int) -> str:
        self._numbers += 1
        return f"{place}.{self._numbers}"


class Place:
    """One machine's place in the cluster: the machine in it comes back after a failure with another agent."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.number, self._cluster = number, cluster
        self._chance = random.Random(cluster.chance.randrange(1 << 60))
        self._reboot: asyncio.Task[None] | None = None
        self.machine: Machine
        self._boot()

    def _boot(self) -> None:
        self.machine = Machine(self._chance, self._cluster.rates, self._cluster.counts)
        self.agent = SimAgent(self.machine, self._cluster.scheduler)
        self.executor = SimExecutor(self.machine, self.agent)

    def works(self) -> list[Any]:
        """What goes on at this place, each with its own rhythm."""
        rates = self._cluster.rates
        return [
            self._often(rates.tasks_h, self._launch),
            self._often(rates.revocations_h, self._revoke),
            self._often(rates.machine_failures_h, self._fail),
            self._often(rates.executor_deaths_h, self._executor_dies),
            self._often(rates.agent_restarts_h, self._agent_restarts),
            self._often(rates.connection_breaks_h, self._connection_breaks),
            self._often(rates.containerd_restarts_h, self._containerd_restarts),
        ]

    async def _often(self, rate_h: float, what: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._chance.expovariate(rate_h / 3600))
            self._cluster.check()
            self.executor.check()
            await what()

    @property
    def _is_up(self) -> bool:
        return not self.agent.gone

    # --- work ------------------------------------------------------------------------------------------------

    async def _launch(self) -> None:
        if not self._is_up or len(self.executor.living) >= ALIVE_MAX:
            return
        chance = self._chance
        kind = chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        made = KINDS[kind][1]
        spec = named(template(kind), [self._cluster.next_name(self.number) for _ in range(made.tasks)])
        self._cluster.counts[f"launch: {kind}"] += 1
        ends = {each.name: made.behaviour(chance, each.name) for each in spec.containers}
        for name in spec.task_ids:
            self._cluster.scheduler.launch(name, revocable=spec.pod_class is PodClass.REVOCABLE)
        launch = Launch(spec, lambda name, run: made.again(ends[name], run))
        pod = self.agent.launch(spec.task_ids, self.executor, launch)
        if self.number == 0 and pod is not None:
            self._cluster.journaled.add(pod)
        if chance.random() < self._cluster.rates.kills_part:
            delay_s = chance.choice((0.0, chance.uniform(0, 2), chance.expovariate(1 / 1800)))
            for _ in range(2 if chance.random() < 0.1 else 1):
                grace_s = chance.choice((None, 0.0, 1.0, 30.0))
                asyncio.get_running_loop().call_later(delay_s, self.kill, chance.choice(spec.task_ids), grace_s)

    def kill(self, name: str, grace_s: float | None) -> None:
        """The scheduler's KILL."""
        self.agent.kill(name, grace_s)

    async def _revoke(self) -> None:
        if not self._is_up:
            return
        chance, living = self._chance, self.executor.living
        select: dict[str, Any] = {"all": True}
        if living and chance.random() < 0.5:
            select = {"tasks": [chance.choice(chance.choice(living).spec.task_ids)]}
        elif chance.random() < 0.3:
            select = {"roles": ["eng"]}
        self._cluster.counts["revocation"] += 1
        message = revoke(f"r-{self._cluster.counts['revocation']}", select, chance.choice((0.0, 0.3, 5.0)))
        for _ in range(2 if chance.random() < 0.1 else 1):
            self.executor.message(message)

    # --- faults ----------------------------------------------------------------------------------------------

    async def _fail(self) -> None:
        self._cluster.counts["machine: failed"] += 1
        self.fail(self._chance.uniform(*REBOOT_S))

    def fail(self, down_s: float) -> None:
        """The machine stops, and boots after a while."""
        if self._is_up:
            self.executor.die()
            self.agent.machine_fails()
            self._reboot = asyncio.get_running_loop().create_task(self._boot_later(down_s))

    async def _boot_later(self, down_s: float) -> None:
        await asyncio.sleep(down_s)
        self._boot()

    async def recover(self) -> None:
        """Until it is up."""
        if self._reboot is not None:
            await self._reboot

    async def _executor_dies(self) -> None:
        if self._is_up and self.agent.up:
            self._cluster.counts["executor: died"] += 1
            self.executor.die()
            self.agent.executor_died(self.executor)
            self.executor = SimExecutor(self.machine, self.agent)

    async def _agent_restarts(self) -> None:
        if self._is_up and self.agent.up:
            self._cluster.counts["agent: restarted"] += 1
            await self.agent.restart(self._chance.uniform(0, 60))

    async def _connection_breaks(self) -> None:
        if self._is_up:
            self._cluster.counts["connection: broken"] += 1
            self.agent.break_connection()

    async def _containerd_restarts(self) -> None:
        machine = self.machine
        self._cluster.counts["containerd: restarted"] += 1
        machine.containerd_up.clear()
        await asyncio.sleep(self._chance.uniform(0, 60))
        machine.containerd_up.set()
