"""One run of a container, as it was made in containerd: its record, its task, and its first process, which is held."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from executor.pod.exits.process_state import is_ending

if TYPE_CHECKING:
    from cgroups.held import HeldProcess
    from executor.images.model import Image
    from executor.names import ContainerId


@dataclass
class ContainerRun:
    """One container record with its task, created and perhaps started. A restart makes another one."""

    id: ContainerId
    run: int
    """The first one is 1."""
    snapshot: str
    image: Image
    pid: int
    leader: HeldProcess | None
    """None: it has ended."""
    process: Any
    """What its first process is, as in the OCI document."""
    started_at: float | None = None  # monotonic
    start_known: bool = False
    """Whether containerd has said that it was started. Before that its end may be one that a failed start is."""
    early_exit_code: int | None = None
    """The exit code of an end that was reported before that."""

    def lives(self) -> bool:
        """Whether its first process has been started and has not ended."""
        return self.started_at is not None and self.leader is not None and not self.leader.has_ended()

    def runs(self) -> bool:
        """Whether it lives and has not begun to end: what is asked of it then says something about it."""
        return self.lives() and not is_ending(self.pid)

    def close(self) -> None:
        """Let go of its first process: no signal goes there any more. Idempotent."""
        if self.leader is not None:
            self.leader.close()
            self.leader = None
