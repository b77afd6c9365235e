"""The tasks of one `run`: which are launched out of which offers, their states, and the exit code. Pure: time is an
argument.

A launch whose offer was rescinded meanwhile never ran: it is launched again.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from executor import bounded_json
from executor.cli.exits import Exit
from executor.mesos import offers as allocation
from executor.mesos.status import TERMINAL

Json = dict[str, Any]
HOLD_S: Final = 1.0
"""Regular and revocable resources of one agent may come in two offers: an offer is kept so long for the other one."""
REFUSE_S: Final = 5.0
"""For how long what was not enough is left to other frameworks."""
LAUNCHES_MAX: Final = 10
_BY_ITSELF: Final = frozenset({"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"})
_NOT_RUN: Final = frozenset({"TASK_LOST", "TASK_DROPPED"})


@dataclass(frozen=True)
class Accept:
    """These tasks are launched at this agent, out of these offers, after `makes`: operations that make volumes."""

    offers: tuple[str, ...]
    agent: str
    tasks: tuple[Json, ...]
    makes: tuple[Json, ...] = ()


@dataclass
class Progress:
    """`executor` is an ExecutorInfo, with the resources that it asks for. A persistent volume that no agent has is
    made, once `take_volumes` has said which there are; each other one waits for the offer that has it.
    """

    tasks: Mapping[str, Json]
    executor: Json
    framework: str = ""
    principal: str = ""
    _makeable: frozenset[str] = frozenset()
    _offers: dict[str, tuple[Json, float]] = field(default_factory=dict)
    _executors: dict[str, Json] = field(default_factory=dict)
    """As launched, by agent: a later launch has to name it in the same words."""
    _agents: dict[str, str] = field(default_factory=dict)
    """Endpoints, by agent."""
    _launched: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The agent of each task, and how often it was launched."""
    _ended: dict[str, Json] = field(default_factory=dict)
    _seen: dict[str, dict[tuple[str, bool], float]] = field(default_factory=dict)
    """What each agent offered last."""
    _begun: set[str] = field(default_factory=set)

    # --- what is heard

    def take_offers(self, offers: Sequence[Json], now_s: float) -> None:
        """The master offers these."""
        for offer in offers:
            self._offers[offer["id"]["value"]] = offer, now_s
            address = offer.get("url", {}).get("address", {})
            host = address.get("ip") or address.get("hostname") or offer.get("hostname", "")
            self._agents[offer["agent_id"]["value"]] = f"{host}:{address.get('port', 5051)}"
        for agent, ids in self._by_agent().items():
            self._seen[agent] = _sums([each for offer in ids for each in self._offers[offer][0]["resources"]])

    def take_volumes(self, existing: Collection[str]) -> None:
        """The ids of the persistent volumes that the agents have."""
        self._makeable = self.volumes - frozenset(existing)

    def take_rescind(self, offer: str) -> None:
        """The master takes an offer back."""
        self._offers.pop(offer, None)

    def take_failure(self, agent: str, executor: str | None) -> None:
        """An executor ended, or an agent with all of its executors."""
        if executor in (None, self.executor["executor_id"]["value"]):
            self._executors.pop(agent, None)

    def take_lost(self) -> None:
        """The stream ended: offers are void."""
        self._offers.clear()

    def take_status(self, status: Json) -> bool:
        """Whether the task is to be launched again."""
        task, state = status["task_id"]["value"], status["state"]
        if task not in self.tasks or task in self._ended:
            return False
        if state not in TERMINAL:
            self._begun.add(task)
            return False
        agent, count = self._launched.get(task, ("", 0))
        if state in _NOT_RUN and task not in self._begun and 0 < count < LAUNCHES_MAX:
            self._launched[task] = "", count
            self._forget_executor(agent)
            return True
        self._ended[task] = status
        return False

    # --- what is to be done

    def accepts(self) -> Iterator[Accept]:
        """What can be launched now."""
        for agent, ids in self._by_agent().items():
            waiting = self.waiting
            offers = [self._offers[each][0] for each in ids]
            pool = allocation.Pool(offers, makeable=self._makeable, principal=self.principal)
            info = self._executors.get(agent) or allocation.equip(pool, self.framework, self.executor)
            if info is None or not waiting:
                continue
            tasks = (allocation.place(pool, agent, [self.tasks[name]], info) for name in waiting)
            placed = [task for found in tasks for task in found or ()]
            if not placed:
                continue
            self._executors[agent] = info
            for task in placed:
                name = task["task_id"]["value"]
                self._launched[name] = agent, self._launched.get(name, ("", 0))[1] + 1
            for offer in ids:
                del self._offers[offer]
            made = {allocation.volume_id(each) for task in placed for each in task["resources"]}
            self._makeable -= made
            yield Accept(tuple(ids), agent, tuple(placed), tuple(pool.operations))

    def take_unsent(self, accept: Accept) -> None:
        """This launch did not reach the master: its tasks wait again."""
        self._makeable |= frozenset(made_by(accept))
        for each in accept.tasks:
            name = each["task_id"]["value"]
            self._launched[name] = "", self._launched[name][1] - 1
        self._forget_executor(accept.agent)

    def _forget_executor(self, agent: str) -> None:
        """It never began, unless a task of it did: then the next launch there needs its resources once more."""
        if not any(agent == other for task, (other, _) in self._launched.items() if task in self._begun):
            self._executors.pop(agent, None)

    def declined(self, now_s: float) -> tuple[str, ...]:
        """Offers that are of no use, or not enough."""
        old = [each for each, (_, at_s) in self._offers.items() if not self.waiting or at_s + HOLD_S <= now_s]
        for each in old:
            del self._offers[each]
        return tuple(old)

    def shortage(self) -> str:
        """Why the first waiting task is not launched, as in `no agent offers 8 cpus: the most is 3.9`. What the
        executor itself needs counts too.
        """
        needs = _sums([*self.tasks[self.waiting[0]]["resources"], *self.executor["resources"]])
        most = {kind: max((sums.get(kind, 0.0) for sums in self._seen.values()), default=0.0) for kind in needs}
        short = [
            f"{amount:g} {'revocable ' if kind[1] else ''}{kind[0]}: the most is {math.floor(most[kind] * 1e3) / 1e3:g}"
            for kind, amount in needs.items()
            if most[kind] + 1e-6 < amount
        ]
        if short:
            return f"no agent offers {'; '.join(short)}"
        ranges = _ranges(self.tasks[self.waiting[0]]["resources"])
        needed = [
            f"{kind[0]} {' '.join(ranges[kind[0]])}"
            if kind[0] in ranges
            else f"{amount:g} {'revocable ' if kind[1] else ''}{kind[0]}"
            for kind, amount in needs.items()
        ]
        return f"no agent offers all of it: {', '.join(needed)}"

    def _by_agent(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, (offer, _) in self._offers.items():
            found.setdefault(offer["agent_id"]["value"], []).append(name)
        return found

    # --- how it stands

    @property
    def volumes(self) -> frozenset[str]:
        """The persistent volumes that the tasks name."""
        found = (allocation.volume_id(each) for task in self.tasks.values() for each in task["resources"])
        return frozenset(filter(None, found))

    @property
    def waiting(self) -> list[str]:
        """Tasks that are not launched."""
        return [each for each in self.tasks if each not in self._ended and not self._launched.get(each, ("", 0))[0]]

    @property
    def living(self) -> dict[str, str]:
        """Tasks that were launched and have not ended, with their agents."""
        return {task: agent for task, (agent, _) in self._launched.items() if agent and task not in self._ended}

    @property
    def is_over(self) -> bool:
        """Whether all have ended."""
        return len(self._ended) == len(self.tasks)

    def agent_of(self, task: str) -> str:
        """The endpoint of the agent of a task that was launched."""
        return self._agents.get(self._launched[task][0], "")

    @property
    def exit_code(self) -> int:
        """The first one that is not 0, in the order of the tasks."""
        return next((code for task in self.tasks if (code := exit_code(self._ended.get(task))) != 0), Exit.OK)


def made_by(accept: Accept) -> list[str]:
    """The persistent volumes that it makes."""
    created = [each["create"]["volumes"] for each in accept.makes if each["type"] == "CREATE"]
    return [allocation.volume_id(volume) for volumes in created for volume in volumes]


def exit_code(status: Json | None) -> int:
    """The exit code of the containers, as the last status has it; FAILURE for a task that did not end by itself."""
    if status is None or status["state"] not in _BY_ITSELF:
        return Exit.FAILURE
    codes = [each["exit_code"] for each in containers(status) if each.get("kind") == "main" and each.get("exit_code")]
    if codes:
        return int(codes[0])
    return Exit.FAILURE if status["state"] == "TASK_FAILED" else Exit.OK


def containers(status: Json) -> list[Json]:
    """What `data` of a status says of the containers; none where it says nothing."""
    try:
        document = bounded_json.loads(base64.b64decode(status.get("data", ""), validate=True))
        return [each for each in document["containers"] if isinstance(each, dict)]
    except (ValueError, KeyError, TypeError):
        return []


def pod_of(status: Json) -> str:
    """The id of a task's pod; empty before it has one."""
    labels = status.get("labels", {}).get("labels", [])
    return next((str(each.get("value", "")) for each in labels if each.get("key") == "pod"), "")


def _ranges(resources: Sequence[Json]) -> dict[str, list[str]]:
    """By name, as `22` or `31000-31009`."""
    found: dict[str, list[str]] = {}
    for each in resources:
        for span in each.get("ranges", {}).get("range", ()):
            words = f"{span['begin']}" if span["begin"] == span["end"] else f"{span['begin']}-{span['end']}"
            found.setdefault(each["name"], []).append(words)
    return found


def _sums(resources: Sequence[Json]) -> dict[tuple[str, bool], float]:
    found: dict[tuple[str, bool], float] = {}
    for each in resources:
        found[_kind(each)] = found.get(_kind(each), 0.0) + _amount(each)
    return found


def _kind(resource: Json) -> tuple[str, bool]:
    return resource["name"], "revocable" in resource


def _amount(resource: Json) -> float:
    if "scalar" in resource:
        return float(resource["scalar"]["value"])
    return float(sum(each["end"] - each["begin"] + 1 for each in resource.get("ranges", {}).get("range", ())))
