"""What tasks and executors hold on this node, and what of the owners' resources they leave. Pure.

A task is known from two sources: the agent, which is asked in an interval, and the master, which announces a task
before its agent has it. Every revocable resource counts as borrowed, from any source: so no more is offered than
the node has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from executor.lending.amount import NOTHING, Amount, total
from executor.lending.policy import Policy
from executor.mesos.operator import holdings
from executor.mesos.operator.holdings import Resource
from executor.names import ExecutorId, FrameworkId, Role, TaskId

NO_ROLE: Final = Role("*")
Key = tuple[FrameworkId, TaskId]
ExecutorKey = tuple[FrameworkId, ExecutorId]


@dataclass(frozen=True)
class Holding:
    """What one task or executor holds, in cpus and memory."""

    role: Role = NO_ROLE
    """That the resources are allocated to."""
    reserved: Mapping[Role, Amount] = field(default_factory=dict)
    """The amounts of reservations, by their roles."""
    borrowed: Amount = NOTHING
    """Revocable."""
    regular: Amount = NOTHING
    """Everything that is not revocable, reserved or not."""

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> Holding:
        """From the resources of a Task or an ExecutorInfo."""
        reserved: dict[Role, Amount] = {}
        borrowed = regular = NOTHING
        role = NO_ROLE
        for each in resources:
            amount = _amount(each, Amount.held)
            role = Role(each.allocation_info.role or role)
            if each.revocable is not None:
                borrowed += amount
                continue
            regular += amount
            if owner := reserved_for(each):
                reserved[owner] = reserved.get(owner, NOTHING) + amount
        return cls(role, reserved, borrowed, regular)


@dataclass(frozen=True)
class Task:
    """One living task: `executor` is empty where Mesos' own executor runs a command."""

    key: Key
    executor: ExecutorId
    holding: Holding

    @property
    def executor_key(self) -> ExecutorKey:
        """Which executor runs it."""
        return self.key[0], self.executor


@dataclass(frozen=True)
class NodeState:
    """What the agent says: `total` is without revocable resources, `reserved` is by role."""

    agent: str = ""
    total: Amount = NOTHING
    reserved: Mapping[Role, Amount] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    executors: Mapping[ExecutorKey, Holding] = field(default_factory=dict)


def reserved_for(resource: Resource) -> Role | None:
    """The role that a resource is reserved for: the innermost of refined reservations. None: for no role."""
    if resource.reservations:
        return Role(resource.reservations[-1].role)
    return Role(resource.role) if resource.role not in ("", "*") else None


def totals(resources: Sequence[Resource]) -> tuple[Amount, dict[Role, Amount]]:
    """The amount of a node's resources that are not revocable, and of those the reservations by role."""
    reserved: dict[Role, Amount] = {}
    own = [each for each in resources if each.revocable is None]
    for each in own:
        if owner := reserved_for(each):
            reserved[owner] = reserved.get(owner, NOTHING) + _amount(each, Amount.offered)
    return total(_amount(each, Amount.offered) for each in own), reserved


def task(found: holdings.Task) -> Task:
    """From a task of the master or of the agent."""
    key = FrameworkId(found.framework_id.value), TaskId(found.task_id.value)
    return Task(key, ExecutorId(found.executor_id.value), Holding.of(found.resources))


def node_state(agent: holdings.AgentState, held: holdings.State) -> NodeState:
    """From an agent's two answers. Between them a task may have come or gone, which the next ones tell."""
    whole, reserved = totals(agent.resources)
    infos = [each.executor_info for each in held.get_executors.executors]
    executors = {
        (FrameworkId(info.framework_id.value), ExecutorId(info.executor_id.value)): Holding.of(info.resources)
        for info in infos
    }
    return NodeState(agent.id, whole, reserved, tuple(map(task, held.tasks)), executors)


def surplus(policy: Policy, state: NodeState, tasks: Iterable[Task]) -> dict[Role, Amount]:
    """By allocation: what each owner has reserved here and no task or executor holds. Exact."""
    have, held = dict.fromkeys(policy.owners, NOTHING), dict.fromkeys(policy.owners, NOTHING)
    for role, amount in state.reserved.items():
        if (owner := policy.owner_of(role)) is not None:
            have[owner] += amount
    for holding in (*(each.holding for each in tasks), *state.executors.values()):
        for role, amount in holding.reserved.items():
            if (owner := policy.owner_of(role)) is not None:
                held[owner] += amount
    return {owner: have[owner].beyond(held[owner]) for owner in policy.owners}


def mixed(tasks: Collection[Task]) -> frozenset[ExecutorKey]:
    """Executors that run tasks with loans, and tasks without."""
    borrow = {each.executor_key for each in tasks if each.executor and each.holding.borrowed}
    return frozenset(borrow & {each.executor_key for each in tasks if not each.holding.borrowed})


def _amount(resource: Resource, make: Callable[[float, float], Amount]) -> Amount:
    """The amount of cpus or memory; nothing of any other resource."""
    value = resource.scalar.value
    if resource.name == "cpus":
        return make(value, 0)
    return make(0, value) if resource.name == "mem" else NOTHING
