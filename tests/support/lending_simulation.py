"""Lending on many nodes, simulated with the lender's own decisions: how much is gained, and what it costs. Pure.

`python -m tests.support.lending_simulation NODES HOURS` prints the table of packaging/doc/lending.md. Each node is
simulated by itself, as its lender decides: what is offered is a Window's, what an owner keeps of its use is a Peak's,
and who returns is policy.returns'. Borrowers always have a pod of one cpu that waits for an offer.
"""

from __future__ import annotations

import heapq
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from executor.lending.amount import Amount
from executor.lending.peak import Peak
from executor.lending.policy import Debtor, Policy, returns
from executor.lending.window import Window
from executor.names import Role
from tests.support.lending_clusters import BORG, COLOCATED, HOUR_S, Cluster, Setting
from tests.support.lending_outcome import Outcome

OWNER: Final = Role("spark")
BORROWER: Final = Role("batch")
POLICY: Final = Policy((OWNER,))
STEP_MILLICPUS: Final = 100
PLACE_S: Final = 1.0
"""From an offer to a pod that runs: Mesos allocates once a second by default."""
POD_WORK_S: Final = 600.0
"""The mean of the work of a borrowed pod (assumed)."""
USE_EVERY_S: Final = 30.0


@dataclass
class Task:
    """One task of the owner."""

    millicpus: int
    use: float


@dataclass
class Pod:
    """One borrowed pod of one cpu."""

    id: str
    began_s: float
    ends_s: float


@dataclass
class Node:
    """One node, from event to event."""

    cluster: Cluster
    setting: Setting
    chance: random.Random
    begin_s: float
    pods_chance: random.Random = field(default_factory=lambda: random.Random(1))
    """Another one than the owner's, which does the same whatever is lent."""
    reserved: int = 0
    now_s: float = 0.0
    tasks: dict[int, Task] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    peak: Peak = field(default_factory=Peak)
    outcome: Outcome = field(default_factory=Outcome)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1 << 60)))
    events: list[tuple[float, int, str, int | str]] = field(default_factory=list)
    due_s: dict[str, float] = field(default_factory=dict)
    """When pods are placed and the offer grows next."""

    def __post_init__(self) -> None:
        self.reserved = round(self.cluster.cores * self.cluster.reserved) * 1000
        while self._held() < self._load() * self.reserved:
            self._begin(left_s=self.chance.random() * self._lasting_s(self.cluster.alpha - 1))
        self.peak = Peak(self._held(), self._held())
        self._decide()
        self._later(self._next_arrival_s(), "arrive", 0)
        self._later(USE_EVERY_S * self.chance.random(), "sample", 0)

    def run(self, hours: float) -> Outcome:
        """What happened in so many hours."""
        while self.events and self.events[0][0] < hours * HOUR_S:
            at_s, _, kind, what = heapq.heappop(self.events)
            self._pass(at_s)
            getattr(self, f"_{kind}")(what)
        self._pass(hours * HOUR_S)
        self.outcome.core_s = self.cluster.cores * hours * HOUR_S
        return self.outcome

    # --- events

    def _arrive(self, _: int | str) -> None:
        self._later(self._next_arrival_s(), "arrive", 0)
        if self._begin(self._lasting_s(self.cluster.alpha)):
            self.outcome.launches += 1
            self.outcome.returns += self._decide()

    def _begin(self, left_s: float) -> bool:
        """Whether there was room for one more task of the owner."""
        size = self.chance.choice((1, 2, 4, 8)) * 1000
        if self._held() + size > self.reserved:
            return False
        number = next(self.numbers)
        self.tasks[number] = Task(size, self._use())
        self._later(left_s, "leave", number)
        return True

    def _leave(self, number: int | str) -> None:
        del self.tasks[int(number)]
        self._decide()

    def _sample(self, _: int | str) -> None:
        """Tasks use more or less than before, and the lender measures it."""
        self._later(USE_EVERY_S, "sample", 0)
        self.peak = self.peak.sample(self._held(), self._used(), self.now_s, self.setting.half_life_s)
        for task in self.tasks.values():
            task.use = self._use()
        self._decide()

    def _use(self) -> float:
        """The share of its cpus that a task uses in the next half minute."""
        mean = self.cluster.use
        return min(1.0, max(0.02, self.chance.betavariate(mean * 3, (1 - mean) * 3)))

    def _pod_ends(self, pod: int | str) -> None:
        found = self.pods.pop(str(pod), None)
        if found is not None:
            self._decide()

    def _place(self, _: int | str) -> None:
        """As many pods as the offer has room for."""
        room = self.window.offer.millicpus // 1000 - len(self.pods)
        for _each in range(room):
            pod = Pod(f"p{next(self.numbers)}", self.now_s, self.now_s + self.pods_chance.expovariate(1 / POD_WORK_S))
            self.pods[pod.id] = pod
            self._later(pod.ends_s - self.now_s, "pod_ends", pod.id)
        self._decide()

    # --- the lender

    def _decide(self) -> bool:
        """Whether pods had to return."""
        surplus = Amount(self.reserved - self._held() + self._spare())
        self.window = self.window.sample(surplus, self.now_s, self.setting.grow_after_s)
        has_returned = self._return(surplus)
        if self.window.offer.millicpus // 1000 > len(self.pods):
            self._once(PLACE_S, "place")
        if self.window.steps:
            self._once(max(0.001, self.window.steps[0][0] - self.now_s), "grow")
        return has_returned

    def _grow(self, _: int | str) -> None:
        self._decide()

    def _return(self, surplus: Amount) -> bool:
        if len(self.pods) * 1000 <= surplus.millicpus:
            return False
        debtors = [
            Debtor(pod.id, BORROWER, Amount(1000), ((self.now_s - pod.began_s) // 60,)) for pod in self.pods.values()
        ]
        victims = returns(POLICY, {OWNER: surplus}, debtors)
        for each in victims:
            pod = self.pods.pop(each.id)
            self.outcome.lost_s += self.now_s - pod.began_s
        self.outcome.evictions += len(victims)
        self.outcome.ended[len(victims)] += 1
        return True

    def _spare(self) -> int:
        if not self.setting.by_use:
            return 0
        spare = self.peak.spare(self.setting.margin_percent)
        return min(spare, self._held()) // STEP_MILLICPUS * STEP_MILLICPUS

    # --- the node

    def _held(self) -> int:
        return sum(task.millicpus for task in self.tasks.values())

    def _used(self) -> float:
        return sum(task.millicpus * task.use for task in self.tasks.values())

    def _pass(self, at_s: float) -> None:
        """The time from the last event to this one."""
        passed_s = at_s - self.now_s
        self.now_s = at_s
        used, lent = self._used() / 1000, float(len(self.pods))
        self.outcome.owner_used_s += used * passed_s
        self.outcome.lent_s += lent * passed_s
        self.outcome.squeezed_s += max(0.0, used + lent - self.reserved / 1000) * passed_s

    def _load(self) -> float:
        day = math.sin(2 * math.pi * (self.begin_s + self.now_s) / (24 * HOUR_S))
        return self.cluster.load * (1 + self.cluster.swing * day)

    def _next_arrival_s(self) -> float:
        mean_s = _mean_s(self.cluster) * 3.75 * 1000 / (self._load() * self.reserved)
        return self.chance.expovariate(1 / mean_s)

    def _lasting_s(self, alpha: float) -> float:
        """Bounded Pareto, by inversion; with alpha - 1 as of the tasks that run at one moment, of which the long ones
        are more.
        """
        low, high = self.cluster.shortest_s**-alpha, self.cluster.longest_s**-alpha
        return float((low - self.chance.random() * (low - high)) ** (-1 / alpha))

    def _once(self, after_s: float, kind: str) -> None:
        """Unless one that is due is not later."""
        if not self.now_s < self.due_s.get(kind, 0.0) <= self.now_s + after_s:
            self.due_s[kind] = self.now_s + after_s
            self._later(after_s, kind, 0)

    def _later(self, after_s: float, kind: str, what: int | str) -> None:
        heapq.heappush(self.events, (self.now_s + after_s, next(self.numbers), kind, what))


def _mean_s(cluster: Cluster) -> float:
    a, low, high = cluster.alpha, cluster.shortest_s, cluster.longest_s
    scale = math.pow(low, a) / (1 - math.pow(low / high, a)) * a / (a - 1)
    return scale * (math.pow(low, 1 - a) - math.pow(high, 1 - a))


def simulate(cluster: Cluster, setting: Setting, nodes: int, hours: float, seed: int = 1) -> Outcome:
    """So many nodes, each at another time of its day and with a workload of its own; the same for each setting."""
    total = Outcome()
    for number in range(nodes):
        chance = random.Random(f"{seed} {number}")
        begin_s = 24 * HOUR_S * number / nodes
        total = total.plus(Node(cluster, setting, chance, begin_s).run(hours))
    return total


SETTINGS: Final = (
    *(Setting(grow_after_s=after) for after in (0.0, 10.0, 30.0, 60.0, 300.0)),
    *(Setting(by_use=True, half_life_s=half_life) for half_life in (30.0, 300.0, 1800.0)),
    *(Setting(by_use=True, half_life_s=60.0, margin_percent=margin) for margin in (0.0, 20.0, 50.0)),
)
SHOWN: Final = (
    "used_before", "used_after", "useful_gain", "lost_share", "evictions_per_core_hour", "launches_with_return",
    "owner_squeezed", "ended_at_once_p50", "ended_at_once_p99",
)  # fmt: skip


def table(nodes: int, hours: float) -> Iterator[str]:
    """Markdown."""
    names = ("cluster", "grow_after_s", "by_use", "margin_percent", "peak_half_life_s", *SHOWN)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    for cluster in (BORG, COLOCATED):
        for setting in SETTINGS:
            row = simulate(cluster, setting, nodes, hours).row()
            use = (f"{setting.margin_percent:g}", f"{setting.half_life_s:g}") if setting.by_use else ("", "")
            kept = (cluster.name, f"{setting.grow_after_s:g}", "yes" if setting.by_use else "no", *use)
            yield f"| {' | '.join((*kept, *(f'{row[name]:.3f}' for name in SHOWN)))} |"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]), float(sys.argv[2])):
        print(line, flush=True)
