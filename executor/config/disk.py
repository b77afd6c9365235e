"""The configuration section [disk]. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from executor.config.key import key


@dataclass(frozen=True)
class DiskSection:
    """The disk that pods use: root file systems, emptyDir volumes, logs."""

    enforce: bool = key(
        default=True,
        doc="End a pod that is over its task's disk, its ephemeral-storage or a sizeLimit; false: only count.",
    )
    interval_s: float = key(
        1.0,
        "How often free space is looked at, seconds; each 0.25 s where it shrinks quickly.",
        least=0.25,
        most=60,
    )
    agent_quota: str = key(
        "ask",
        "Whether the agent ends an executor whose sandbox is over its disk (enforce_container_disk_quota); ask: the"
        " agent's /flags tell, and an agent that does not answer is taken for one that does.",
        choices=("ask", "yes", "no"),
    )
