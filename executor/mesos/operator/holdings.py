"""The messages of Mesos' v1 operator API as far as lending needs them: what tasks and executors hold. Pure.

Apart from messages.py, because names need other fields and the whole cluster: here a master's state is skipped, for
what this node has is asked of its agent. Texts of frameworks need not be UTF-8.
"""

from __future__ import annotations

import msgspec

from executor.mesos.operator.messages import AllocationInfo, Value, decoded


class Scalar(msgspec.Struct, frozen=True):
    value: float = 0.0


class Reservation(msgspec.Struct, frozen=True):
    role: str = ""


class Revocable(msgspec.Struct, frozen=True):
    """Has no fields: its presence is the information."""


class Resource(msgspec.Struct, frozen=True):
    """`role` is the form of a static reservation that Mesos 1.3 had."""

    name: str = ""
    scalar: Scalar = Scalar()
    role: str = ""
    allocation_info: AllocationInfo = AllocationInfo()
    reservations: tuple[Reservation, ...] = ()
    revocable: Revocable | None = None


class Task(msgspec.Struct, frozen=True):
    """`executor_id` is empty for a task that one of Mesos' own executors runs by a command."""

    task_id: Value = Value()
    framework_id: Value = Value()
    agent_id: Value = Value()
    executor_id: Value = Value()
    resources: tuple[Resource, ...] = ()


class Tasks(msgspec.Struct, frozen=True):
    """An agent's living tasks: launched ones, and those that are on their way to an executor."""

    pending_tasks: tuple[Task, ...] = ()
    queued_tasks: tuple[Task, ...] = ()
    launched_tasks: tuple[Task, ...] = ()


class ExecutorInfo(msgspec.Struct, frozen=True):
    executor_id: Value = Value()
    framework_id: Value = Value()
    resources: tuple[Resource, ...] = ()


class Executor(msgspec.Struct, frozen=True):
    executor_info: ExecutorInfo = ExecutorInfo()


class Executors(msgspec.Struct, frozen=True):
    executors: tuple[Executor, ...] = ()


class State(msgspec.Struct, frozen=True):
    """An agent's GET_STATE."""

    get_tasks: Tasks = Tasks()
    get_executors: Executors = Executors()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All that live."""
        return self.get_tasks.pending_tasks + self.get_tasks.queued_tasks + self.get_tasks.launched_tasks


class Status(msgspec.Struct, frozen=True):
    task_id: Value = Value()
    state: str = ""
    agent_id: Value = Value()


class TaskAdded(msgspec.Struct, frozen=True):
    task: Task = Task()


class TaskUpdated(msgspec.Struct, frozen=True):
    framework_id: Value = Value()
    status: Status = Status()
    state: str = ""


class Event(msgspec.Struct, frozen=True):
    """One event of a master's stream, with nothing of its first state."""

    type: str = ""
    task_added: TaskAdded | None = None
    task_updated: TaskUpdated | None = None


class _Answer(msgspec.Struct, frozen=True):
    get_state: State


class AgentState(msgspec.Struct, frozen=True):
    """An agent's `/state` (docs/endpoints/slave/state.md): its id, and its resources with dynamic reservations, which
    GET_AGENT does not have.
    """

    id: str
    reserved_resources_full: dict[str, tuple[Resource, ...]]
    unreserved_resources_full: tuple[Resource, ...]

    @property
    def resources(self) -> tuple[Resource, ...]:
        """All of them."""
        reserved = (each for resources in self.reserved_resources_full.values() for each in resources)
        return (*self.unreserved_resources_full, *reserved)


class _MasterState(msgspec.Struct, frozen=True):
    """What a leading master's `/state` has (docs/endpoints/master/state.md), and no agent's."""

    leader: str = ""


class ProviderInfo(msgspec.Struct, frozen=True):
    type: str = ""
    id: Value = Value()


class ProviderState(msgspec.Struct, frozen=True):
    resource_provider_info: ProviderInfo = ProviderInfo()


class Providers(msgspec.Struct, frozen=True):
    resource_providers: tuple[ProviderState, ...] = ()


class _ProvidersAnswer(msgspec.Struct, frozen=True):
    """Has nothing in it without providers."""

    get_resource_providers: Providers = Providers()


class Statistics(msgspec.Struct, frozen=True):
    timestamp: float = 0.0
    cpus_user_time_secs: float = 0.0
    cpus_system_time_secs: float = 0.0

    @property
    def cpu_s(self) -> float:
        """Seconds of CPU time since the container began."""
        return self.cpus_user_time_secs + self.cpus_system_time_secs


class Container(msgspec.Struct, frozen=True):
    """The container of an executor."""

    framework_id: Value = Value()
    executor_id: Value = Value()
    container_id: Value = Value()
    resource_statistics: Statistics = Statistics()


class Containers(msgspec.Struct, frozen=True):
    containers: tuple[Container, ...] = ()


class _ContainersAnswer(msgspec.Struct, frozen=True):
    get_containers: Containers = Containers()


_EVENT = msgspec.json.Decoder(Event)
_ANSWER = msgspec.json.Decoder(_Answer)
_MASTER = msgspec.json.Decoder(_MasterState)
_AGENT = msgspec.json.Decoder(AgentState)
_CONTAINERS = msgspec.json.Decoder(_ContainersAnswer)
_PROVIDERS = msgspec.json.Decoder(_ProvidersAnswer)


def event(data: bytes) -> Event:
    """Raises MesosFailure."""
    return decoded(_EVENT, data)


def state(data: bytes) -> State:
    """From an agent's answer to GET_STATE. Raises MesosFailure."""
    return decoded(_ANSWER, data).get_state


def agent(data: bytes) -> AgentState:
    """From an agent's `/state`. Raises MesosFailure."""
    return decoded(_AGENT, data)


def is_master(data: bytes) -> bool:
    """Whether a `/state` is a master's. Raises MesosFailure."""
    return bool(decoded(_MASTER, data).leader)


def containers(data: bytes) -> tuple[Container, ...]:
    """The executors' containers with what they use, from an agent's answer to GET_CONTAINERS. Raises MesosFailure."""
    return decoded(_CONTAINERS, data).get_containers.containers


def providers(data: bytes) -> tuple[ProviderInfo, ...]:
    """The subscribed ones, from an agent's answer to GET_RESOURCE_PROVIDERS. Raises MesosFailure."""
    found = decoded(_PROVIDERS, data).get_resource_providers.resource_providers
    return tuple(each.resource_provider_info for each in found)
