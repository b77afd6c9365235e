"""Which Mesos tasks have which names: kept from a source's state and, if it is a master, its events. Pure.

    state     the whole truth, except for tasks of agents that a new master does not know yet: those are held
    event     one task, framework or agent

A task has names from its first TASK_RUNNING with an address to the end of TASK_KILLING. Its addresses are the first of
each family in the container status' network_infos; the agent adds its own address there for tasks on its network. What
a status may claim is decided in publishable.py. What is kept is bounded by what lives in the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from executor import bounded_json
from executor.dns.names import NAMES_LABEL, Pair, Zones
from executor.dns.publishable import Origin, claims
from executor.mesos.operator.messages import Event, Framework, State, Status, Task, TaskUpdated

RUNNING = "TASK_RUNNING"
NAMED = (RUNNING, "TASK_KILLING")
LIVING = (*NAMED, "TASK_STAGING", "TASK_STARTING")
SETTLE_S = 2.0
"""From an agent's registration with a new master until its tasks, and no others, are certain to be known."""


class Key(NamedTuple):
    framework: str
    task: str


@dataclass(frozen=True)
class Entry:
    """A living task. `name` is its discovery name, or else its name; `refused` what it claims and does not get, in
    words.
    """

    name: str
    agent: str
    pairs: tuple[Pair, ...] = ()
    executor: str = ""
    role: str = ""
    refused: tuple[str, ...] = ()


class Tasks:
    """`published_here` says of a Mesos container whether it is an executor of this node that publishes its own pods;
    `namespace_to_role` is [roles] namespace_to_role.
    """

    def __init__(
        self,
        zones: Zones,
        published_here: Callable[[str], bool],
        *,
        hold_s: float,
        namespace_to_role: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.living: dict[Key, Entry] = {}
        self._held: dict[Key, float] = {}
        """Tasks in `living` that the source does not know just now, and until when they are kept."""
        self._frameworks: dict[str, str] = {}
        self._zones = zones
        self._published_here = published_here
        self._hold_s = hold_s
        self._namespace_to_role = namespace_to_role

    def adopt(self, known: Iterable[tuple[Key, Entry]], now_s: float) -> None:
        """What an earlier process had published, until a source says more."""
        self.living |= known
        self._held |= dict.fromkeys(self.living, now_s + self._hold_s)

    def take_state(self, state: State, now_s: float) -> None:
        """The source's whole state replaces what was known."""
        before, self.living = self.living, {}
        held, self._held = self._held, {}
        self._frameworks = dict(map(_framework, state.get_frameworks.frameworks))
        for task in (*state.get_tasks.tasks, *state.get_tasks.launched_tasks):
            self._add(task)
        if state.get_agents is None:
            return
        settled = {agent.agent_info.id.value for agent in state.get_agents.agents}
        lost = {_key(task) for task in state.get_tasks.unreachable_tasks}
        for key, entry in before.items():
            if key not in self.living and key not in lost and entry.agent not in settled:
                self.living[key] = entry
                self._held[key] = held.get(key, now_s + self._hold_s)

    def take_event(self, event: Event, now_s: float) -> list[Key]:
        """The tasks whose names may have changed."""
        if event.task_added is not None:
            return self._add(event.task_added.task)
        if event.task_updated is not None:
            return self._update(event.task_updated)
        for changed in (event.framework_added, event.framework_updated):
            if changed is not None:
                self._frameworks |= [_framework(changed.framework)]
        if event.agent_added is not None:
            self._settle(event.agent_added.agent.agent_info.id.value, now_s)
        return []

    def expire(self, now_s: float) -> list[Key]:
        """Held tasks that the source has not named in time."""
        over = [key for key, until_s in self._held.items() if until_s <= now_s]
        for key in over:
            self._forget(key)
        return over

    def _add(self, task: Task) -> list[Key]:
        key = _key(task)
        self._held.pop(key, None)
        if task.state not in LIVING:
            self._forget(key)
            return [key]
        name = task.discovery.name or task.name
        entry = Entry(name, task.agent_id.value, executor=task.executor_id.value, role=task.role)
        running = [status for status in task.statuses if status.state == RUNNING and status.ips]
        if task.state in NAMED and running:
            entry = self._named(key, entry, max(running, key=lambda each: each.timestamp))
        self.living[key] = entry
        return [key]

    def _update(self, update: TaskUpdated) -> list[Key]:
        key = Key(update.framework_id.value, update.status.task_id.value)
        entry = self.living.get(key)
        state = update.state or update.status.state
        if entry is None:
            return []  # the master reported it and its end before this stream began; or it will report it
        if state not in LIVING:
            self._forget(key)
        elif state == RUNNING and update.status.ips:
            self.living[key] = self._named(key, entry, update.status)
            self._held.pop(key, None)
        return [key]

    def _forget(self, key: Key) -> None:
        self.living.pop(key, None)
        self._held.pop(key, None)

    def _named(self, key: Key, entry: Entry, status: Status) -> Entry:
        labelled = any(label.key == NAMES_LABEL for label in status.labels.labels)
        if labelled and self._published_here(status.container_status.container_id.value):
            return replace(entry, pairs=(), refused=())
        framework = self._frameworks.get(key.framework, "")
        origin = Origin(key.task, entry.name, framework, entry.agent, entry.executor, entry.role)
        found = claims(status, origin, self._zones, self._namespace_to_role)
        return replace(entry, pairs=found.pairs, refused=found.refused)

    def _settle(self, agent: str, now_s: float) -> None:
        for key, until_s in self._held.items():
            if self.living[key].agent == agent:
                self._held[key] = min(until_s, now_s + SETTLE_S)


def note(key: Key, entry: Entry) -> str:
    """For a task's file: whose names these are."""
    known = {"name": entry.name, "agent": entry.agent, "executor": entry.executor, "role": entry.role}
    return json.dumps({"framework": key.framework, "task": key.task, **known})


def parse_note(text: str) -> tuple[Key, Entry] | None:
    """What `note` said, of an older version without executor and role; None if this is no such note."""
    try:
        document = bounded_json.loads(text, bounded_json.LINE)
        key = Key(str(document["framework"]), str(document["task"]))
        executor, role = (str(document.get(name, "")) for name in ("executor", "role"))
        return key, Entry(str(document["name"]), str(document["agent"]), executor=executor, role=role)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _key(task: Task) -> Key:
    return Key(task.framework_id.value, task.task_id.value)


def _framework(framework: Framework) -> tuple[str, str]:
    return framework.framework_info.id.value, framework.framework_info.name
