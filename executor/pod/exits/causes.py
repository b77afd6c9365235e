"""What the end of a container means for a task, by who killed it. Pure.

Its own limit (the container's or its pod's) is the task's affair: it failed, and Mesos is told which limit it met. A
limit that it shares with others is not: what was borrowed has been taken back, as by a revocation, and a regular task
has failed without having done wrong.

An unexplained SIGKILL may be the agent's, which ends a Mesos container through its cgroups one after the
other: on a busy node it reached pods well before the executor, which told of tasks that had failed. So it is kept
for a while: what is true of an executor that lives on is told, and of one that does not the agent tells.
"""

from __future__ import annotations

from executor.mesos.status import TaskState
from executor.pod.model import Oom, Outcome

MEMORY_LIMIT = "REASON_CONTAINER_LIMITATION_MEMORY"
PREEMPTED = "REASON_CONTAINER_PREEMPTED"
DOUBT_S = 1.0
_LEVELS = {
    "container": "its own limit",
    "pod": "the limit of its pod",
    "role": "the limit of its role on this node",
    "class": "the limit of all revocable pods together",
    "executor": "the limit of the executor's Mesos container",
}


def children_killed(count: int) -> str:
    """For the message of a container that failed by itself. The reason is not the limit: what a process makes of the
    end of its child is its own affair.
    """
    return f"; the kernel killed {count} process{'' if count == 1 else 'es'} of it for memory" if count else ""


def out_of_memory(container: str, oom: Oom) -> Outcome:
    """Raises nothing; a level without a limit of its own is the node."""
    where = _LEVELS.get(oom.level, "the memory of the node")
    limit = f" of {oom.limit_bytes} bytes" if oom.limit_bytes else ""
    message = f"container {container} was killed for memory: {where}{limit} was met"
    if oom.level in ("container", "pod"):
        return Outcome(TaskState.FAILED, MEMORY_LIMIT, message, limit_bytes=oom.limit_bytes)
    if oom.revocable:
        return Outcome(TaskState.GONE, PREEMPTED, message)
    return Outcome(TaskState.FAILED, MEMORY_LIMIT if oom.level in _LEVELS else None, message)
