"""What a revocation may know of a pod, and do to it: victims and regular pods alike. `executor.pod.runner` has it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.names import PodId
    from executor.own_directory import OwnDirectory
    from executor.pod.life.events import Stop
    from executor.spec.model import PodSpec


class Pod(Protocol):
    """A pod as a revocation sees it: a victim, or a regular pod that must stay unchanged."""

    @property
    def id(self) -> PodId:
        """The name of the pod in every record on the node."""

    @property
    def spec(self) -> PodSpec:
        """Its description."""

    @property
    def cgroup(self) -> Cgroup:
        """The cgroup that holds all its processes."""

    @property
    def files(self) -> OwnDirectory:
        """Its directory in the Mesos sandbox."""

    @property
    def age_s(self) -> float:
        """Seconds since its launch was accepted."""

    @property
    def launching(self) -> bool:
        """Whether a set-up or a start is under way or to come, so that a process may still come."""

    @property
    def dead(self) -> asyncio.Event:
        """Set once no process of the pod is left and none can come."""

    @property
    def is_over(self) -> bool:
        """Whether its life cycle knows that it is dead."""

    @property
    def is_stopping(self) -> bool:
        """Whether its end was asked for."""

    @property
    def ended_by_itself(self) -> bool:
        """Whether every container had ended before the pod's cgroup was killed."""

    @property
    def ended_pids(self) -> frozenset[int]:
        """First processes of containers whose end needs no other explanation than their own."""

    def first_pids(self) -> list[int]:
        """The first process of each container that runs, as far as its life cycle knows. One that is being started is
        runc's yet, and may fail or be over before it is known.
        """

    def started_pids(self) -> list[int]:
        """The same, from the moment of the start on."""

    def keeper_pid(self) -> int | None:
        """The first process of the PID namespace that its containers share; None: they share none."""

    def living_first_pids(self) -> list[int]:
        """First processes that have not ended, in whichever cgroup they are."""

    def is_in_last_moments(self) -> bool:
        """Whether a first process has left its cgroup and has not ended yet."""

    def measure(self) -> int:
        """Bytes of memory in use now; 0 for a pod without a cgroup."""

    def stop(self, stop: Stop) -> None:
        """Have its life cycle end it, within the grace."""

    def kill(self, stop: Stop, killed: asyncio.Event | None) -> None:
        """Have its life cycle end it now, also within its grace. With `killed` it is being killed with others, and its
        life cycle waits, not long, until the result of that kill is known.
        """

    async def kill_by_containerd(self) -> None:
        """SIGKILL through containerd. Its failures are logged."""
