"""What is known of a container that was made in containerd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cgroups.held import HeldProcess
    from executor.images.model import Image
    from executor.names import ContainerId


@dataclass
class Made:
    """One container record with its task, created and perhaps started."""

    id: ContainerId
    snapshot: str
    image: Image
    pid: int
    leader: HeldProcess | None
    process: Any
    """What its first process is, as in the OCI document."""
    started_at: float | None = None  # monotonic
