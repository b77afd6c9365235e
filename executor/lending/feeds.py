"""What the lender hears: threads that follow the agent, the master and the executors, and put what they learn into one
queue. Each tries again for as long as the process lives; none of them decides anything.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from executor.errors import ExecutorError
from executor.lending import node
from executor.lending.decision import Facts
from executor.lending.node import ExecutorKey, Key, NodeState
from executor.log import get_logger
from executor.mesos.operator import holdings
from executor.names import ExecutorId, FrameworkId, TaskId

if TYPE_CHECKING:
    from executor.mesos.operator import Operator

log = get_logger(__name__)

PAUSE_S: Final = 0.5
PAUSE_MAX_S: Final = 5.0
FOLLOWED: Final = 5
"""While the master announces tasks, the agent is asked this many times less often: its answers are long, with all that
ended lately.
"""
CONTAINERS_S: Final = 0.02
"""How often the agent's cgroup is looked at while no master can be reached; a look is one system call."""
FACTS_S: Final = 10.0
"""How old what executors say of their pods may be."""
FACTS_LEAST_S: Final = 0.5
TERMINAL: Final = frozenset(
    f"TASK_{name}" for name in ("FINISHED", "FAILED", "KILLED", "ERROR", "LOST", "DROPPED", "GONE", "GONE_BY_OPERATOR")
)


@dataclass(frozen=True)
class Stated:
    state: NodeState
    asked_s: float


@dataclass(frozen=True)
class Added:
    task: node.Task


@dataclass(frozen=True)
class Ended:
    key: Key


@dataclass(frozen=True)
class Master:
    """Whether its stream is there."""

    there: bool


@dataclass(frozen=True)
class Subscribed:
    """Whether the resource provider is. `identity` is its id."""

    there: bool
    identity: str = ""


@dataclass(frozen=True)
class Known:
    """What executors said of their pods."""

    facts: Mapping[Key, Facts] = field(default_factory=dict)
    answered: Collection[ExecutorKey] = ()


@dataclass(frozen=True)
class Behind:
    """A source does not answer, and why."""

    source: str
    cause: str


@dataclass(frozen=True)
class Used:
    """Thousandths of a cpu that each executor's container uses."""

    rates: Mapping[ExecutorKey, float]


Heard = Stated | Added | Ended | Master | Subscribed | Known | Used | Behind
Put = Callable[[Any], None]


def forever(name: str, work: Callable[[], None], put: Put) -> None:
    """A thread that does `work` again and again. ExecutorErrors are logged once for each outage; `put` takes each."""

    def run() -> None:
        attempt = 0
        while True:
            began_s = time.monotonic()
            try:
                work()
                attempt = 0
                continue
            except ExecutorError as error:
                put(Behind(name, str(error)))
                attempt = 1 if time.monotonic() - began_s > PAUSE_MAX_S else attempt + 1
                delay_s = min(PAUSE_MAX_S, PAUSE_S * 2 ** min(attempt - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311
                if attempt == 1:
                    log.warning(
                        "a source does not answer",
                        code="lending.behind",
                        what=name,
                        error=error,
                        delay_s=round(delay_s, 2),
                    )
            except Exception as error:
                log.exception("defect while following a source", code="lending.defect", what=name, error=error)
                delay_s = PAUSE_MAX_S
            time.sleep(delay_s)

    threading.Thread(target=run, name=f"lending {name}", daemon=True).start()


class AgentFeed:
    """Asks the agent in an interval, or at once where `wake` is set."""

    def __init__(self, agent: Operator, put: Put, interval_s: float) -> None:
        self._agent, self._put, self._interval_s = agent, put, interval_s
        self.wake = threading.Event()
        self.is_followed = False
        """Whether a master announces what happens."""
        self.id = ""
        """The agent's, once it has answered."""

    def wait(self) -> None:
        """Until it has answered once: what else depends on it would only fail for the same cause."""
        while not self.id:
            time.sleep(0.05)

    def ask(self) -> None:
        """One question. Raises MesosFailure."""
        self.wake.clear()
        asked_s = time.monotonic()
        state = node.node_state(self._agent.agent(), self._agent.held())
        self.id = state.agent
        self._put(Stated(state, asked_s))
        self.wake.wait(self._interval_s * (FOLLOWED if self.is_followed else 1))


class UseFeed:
    """Asks the agent for the use of cpus, in an interval, once `feed` knows it."""

    def __init__(self, agent: Operator, feed: AgentFeed, put: Put, interval_s: float) -> None:
        self._agent, self._feed, self._put, self._interval_s = agent, feed, put, interval_s
        self._before: Mapping[str, holdings.Statistics] = {}

    def ask(self) -> None:
        """One question. Raises MesosFailure."""
        self._feed.wait()
        containers = self._agent.use()
        rates: dict[ExecutorKey, float] = {}
        for each in containers:
            now, before = each.resource_statistics, self._before.get(each.container_id.value)
            if before is not None and now.timestamp > before.timestamp:
                key = FrameworkId(each.framework_id.value), ExecutorId(each.executor_id.value)
                rates[key] = 1000 * (now.cpu_s - before.cpu_s) / (now.timestamp - before.timestamp)
        self._before = {each.container_id.value: each.resource_statistics for each in containers}
        self._put(Used(rates))
        time.sleep(self._interval_s)


class ContainerFeed:
    """While no master announces tasks, a new container of the agent has the agent asked at once. `directories` are
    those of the agent's cgroup; the kernel counts the groups in each (st_nlink).
    """

    def __init__(self, directories: Sequence[Path], agent: AgentFeed) -> None:
        self._directories, self._agent = directories, agent
        self._before: list[int] = []

    def look(self) -> None:
        """Once, and a pause."""
        if self._agent.is_followed:
            self._before = []
            time.sleep(CONTAINERS_S * 10)
            return
        now = [_links(each) for each in self._directories]
        if self._before and now != self._before:
            self._agent.wake.set()
        self._before = now
        time.sleep(CONTAINERS_S)


def _links(directory: Path) -> int:
    try:
        return directory.stat().st_nlink
    except OSError:
        return 0


class MasterFeed:
    """Follows the leading master: what it says of tasks on the agent with the id that `agent` returns."""

    def __init__(self, masters: Sequence[Operator], agent: Callable[[], str], put: Put) -> None:
        self._masters, self._agent, self._put = masters, agent, put

    def follow(self) -> None:
        """Until the stream ends. Raises MesosFailure."""
        while not self._agent():
            time.sleep(0.05)
        failures: list[ExecutorError] = []
        for master in self._masters:
            there = False
            try:
                for event in master.events(holdings.event):
                    if not there:
                        there = True
                        self._put(Master(there=True))
                        log.info("follows the master", code="lending.following", address=master.endpoint)
                    for heard in self._heard(event):
                        self._put(heard)
            except ExecutorError as error:
                failures.append(error)
            finally:
                if there:
                    self._put(Master(there=False))
        if failures:
            raise failures[0]

    def _heard(self, event: holdings.Event) -> Iterator[Heard]:
        added, updated, agent = event.task_added, event.task_updated, self._agent()
        if added is not None and added.task.agent_id.value == agent:
            yield Added(node.task(added.task))
        if updated is not None and updated.status.agent_id.value == agent and updated.state in TERMINAL:
            yield Ended((FrameworkId(updated.framework_id.value), TaskId(updated.status.task_id.value)))


class ExecutorFeed:
    """Asks the node's executors about their revocable pods: where `wake` is set, and before the facts are too old.
    `look` returns what each executor that answered said.
    """

    def __init__(self, look: Callable[[], Mapping[ExecutorKey, Sequence[Mapping[str, Any]]]], put: Put) -> None:
        self._look, self._put = look, put
        self.wake = threading.Event()

    def ask(self) -> None:
        """One question to each executor. Raises ExecutorError."""
        self.wake.wait(FACTS_S)
        self.wake.clear()
        now_s = time.monotonic()
        found = self._look()
        facts: dict[Key, Facts] = {}
        answered: list[ExecutorKey] = []
        for executor, pods in found.items():
            try:
                facts |= {(executor[0], TaskId(str(task))): _facts(pod, now_s) for pod in pods for task in pod["tasks"]}
                answered.append(executor)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                source = f"executor {executor[1]}"
                log.warning("a source answers what cannot be read", code="lending.unreadable", what=source, error=error)
        self._put(Known(facts, tuple(answered)))
        time.sleep(FACTS_LEAST_S)


def _facts(pod: Mapping[str, Any], now_s: float) -> Facts:
    began_s = now_s - float(pod["lost_work_s"])
    return Facts(str(pod["pod"]), int(pod["priority"]), began_s, float(pod["overshoot"]), bool(pod["ending"]))
