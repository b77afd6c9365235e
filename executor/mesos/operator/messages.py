"""The messages of Mesos' v1 operator API (include/mesos/v1/master/master.proto, agent.proto), as far as names need
them. Pure.

Only the fields named here are decoded; a master's state is mostly others, which are skipped without being kept. Texts
of frameworks need not be UTF-8 (protobuf 2 does not check it): one of them must not hide all the others.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from executor.errors import MesosFailure

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True):
    value: str = ""


class IpAddress(msgspec.Struct, frozen=True):
    ip_address: str = ""


class NetworkInfo(msgspec.Struct, frozen=True):
    ip_addresses: tuple[IpAddress, ...] = ()


class ContainerStatus(msgspec.Struct, frozen=True):
    container_id: Value = Value()
    network_infos: tuple[NetworkInfo, ...] = ()


class Label(msgspec.Struct, frozen=True):
    key: str = ""
    value: str = ""


class Labels(msgspec.Struct, frozen=True):
    labels: tuple[Label, ...] = ()


class Status(msgspec.Struct, frozen=True):
    """A TaskStatus."""

    task_id: Value = Value()
    state: str = ""
    source: str = ""
    executor_id: Value = Value()
    timestamp: float = 0.0
    container_status: ContainerStatus = ContainerStatus()
    labels: Labels = Labels()

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses in the container status, in its order."""
        return tuple(each.ip_address for info in self.container_status.network_infos for each in info.ip_addresses)


class AllocationInfo(msgspec.Struct, frozen=True):
    role: str = ""


class Resource(msgspec.Struct, frozen=True):
    allocation_info: AllocationInfo = AllocationInfo()


class Discovery(msgspec.Struct, frozen=True):
    name: str = ""


class Task(msgspec.Struct, frozen=True):
    """A Task, which is not a TaskInfo: without data, but with every status of another state than the one before."""

    name: str = ""
    task_id: Value = Value()
    framework_id: Value = Value()
    agent_id: Value = Value()
    executor_id: Value = Value()
    """Empty for a task that one of Mesos' own executors runs by a command."""
    resources: tuple[Resource, ...] = ()
    state: str = ""
    statuses: tuple[Status, ...] = ()
    discovery: Discovery = Discovery()

    @property
    def role(self) -> str:
        """Which its resources were allocated to; empty if that is not one role."""
        roles = {each.allocation_info.role for each in self.resources}
        return roles.pop() if len(roles) == 1 else ""


class Tasks(msgspec.Struct, frozen=True):
    """`tasks` are a master's, `launched_tasks` an agent's living ones."""

    tasks: tuple[Task, ...] = ()
    launched_tasks: tuple[Task, ...] = ()
    unreachable_tasks: tuple[Task, ...] = ()


class FrameworkInfo(msgspec.Struct, frozen=True):
    id: Value = Value()
    name: str = ""


class Framework(msgspec.Struct, frozen=True):
    framework_info: FrameworkInfo = FrameworkInfo()


class Frameworks(msgspec.Struct, frozen=True):
    frameworks: tuple[Framework, ...] = ()


class AgentInfo(msgspec.Struct, frozen=True):
    id: Value = Value()


class Agent(msgspec.Struct, frozen=True):
    agent_info: AgentInfo = AgentInfo()


class Agents(msgspec.Struct, frozen=True):
    agents: tuple[Agent, ...] = ()


class State(msgspec.Struct, frozen=True):
    """GET_STATE. `get_agents` is a master's only."""

    get_tasks: Tasks = Tasks()
    get_frameworks: Frameworks = Frameworks()
    get_agents: Agents | None = None


class Subscribed(msgspec.Struct, frozen=True):
    get_state: State = State()


class TaskAdded(msgspec.Struct, frozen=True):
    task: Task = Task()


class TaskUpdated(msgspec.Struct, frozen=True):
    framework_id: Value = Value()
    status: Status = Status()
    state: str = ""


class FrameworkChanged(msgspec.Struct, frozen=True):
    framework: Framework = Framework()


class AgentAdded(msgspec.Struct, frozen=True):
    agent: Agent = Agent()


class Event(msgspec.Struct, frozen=True):
    """One event of a master's stream; of the optional fields the one is there that `type` names in capitals."""

    type: str = ""
    subscribed: Subscribed | None = None
    task_added: TaskAdded | None = None
    task_updated: TaskUpdated | None = None
    framework_added: FrameworkChanged | None = None
    framework_updated: FrameworkChanged | None = None
    agent_added: AgentAdded | None = None


class Answer(msgspec.Struct, frozen=True):
    """The answer to GET_STATE."""

    get_state: State


class ContainerId(msgspec.Struct, frozen=True):
    value: str
    parent: ContainerId | None = None

    def __str__(self) -> str:
        """As CNI's plugins know it."""
        return self.value if self.parent is None else f"{self.parent}.{self.value}"


class Container(msgspec.Struct, frozen=True):
    container_id: ContainerId


class Containers(msgspec.Struct, frozen=True):
    containers: tuple[Container, ...] = ()


class ContainersAnswer(msgspec.Struct, frozen=True):
    """The answer to an agent's GET_CONTAINERS, which has nothing in it without containers."""

    get_containers: Containers = Containers()


_EVENT = msgspec.json.Decoder(Event)
_ANSWER = msgspec.json.Decoder(Answer)
_CONTAINERS = msgspec.json.Decoder(ContainersAnswer)


def event(data: bytes) -> Event:
    """Raises MesosFailure."""
    return decoded(_EVENT, data)


def state(data: bytes) -> State:
    """From the answer to GET_STATE. Raises MesosFailure."""
    return decoded(_ANSWER, data).get_state


def containers(data: bytes) -> frozenset[str]:
    """From the answer to GET_CONTAINERS. Raises MesosFailure."""
    return frozenset(str(each.container_id) for each in decoded(_CONTAINERS, data).get_containers.containers)


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Raises MesosFailure for what is not an answer of this API."""
    try:
        return _lenient(decoder, data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = "is this the address of a Mesos master or agent?"
        raise MesosFailure(
            f"answered what is not an operator API: {error}", subject="operator API", hint=hint
        ) from error


def _lenient(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except UnicodeDecodeError:
        return decoder.decode(data.decode("utf-8", "replace"))
