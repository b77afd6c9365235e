"""Which pod a process belongs to, by what no move to another cgroup changes: its ancestors and its PID namespace. Pure.

When the parent of a process ends, the first process of its PID namespace becomes its parent, or the shim of its pod
(PR_SET_CHILD_SUBREAPER in prctl(2), pid_namespaces(7)). So its ancestors lead to a container's first process, to that
of the PID namespace that the pod's containers share, or to the pod's shim, as long as that lives. A process whose shim
was killed is known by its PID namespace, which it keeps.

The namespace is asked for last. Recent kernels read it under a lock that a process holds while it executes a program
(exec_update_lock, fs/proc/namespaces.c), and a revocable pod gets little CPU for that: the event loop waited for 0.2 s
on a node whose CPUs were all in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property

from executor.names import PodId

_TRIES = 3
"""For one process whose ancestors end while they are read."""
_NODE_INIT = 1


class ProcessOwners:
    """`pods`: the first processes of the containers of each pod. `keepers`: those of PID namespaces that the containers
    of a pod share, which are children of the executor. `shared`: PID namespaces that say nothing, as several
    pods or the node have them. `namespace_of` and `parent_of` read the kernel, and return None for a process that has
    ended; `namespace_of` does so too for a process that may not be looked at.
    """

    def __init__(
        self,
        pods: Mapping[PodId, Collection[int]],
        *,
        keepers: Mapping[int, PodId],
        shared: Collection[str],
        namespace_of: Callable[[int], str | None],
        parent_of: Callable[[int], int | None],
    ) -> None:
        self._pods, self._shared = pods, shared
        self._namespace_of, self._parent_of = namespace_of, parent_of
        self._known: dict[int, PodId | None] = {}
        """Owners of processes: of each that was looked at, so that no ancestor is looked at twice."""
        for pod, pids in pods.items():
            for pid in pids:
                self._know_shim(parent_of(pid), pod)
        self._known.update(keepers)
        self._known.update((pid, pod) for pod, pids in pods.items() for pid in pids)

    def _know_shim(self, shim: int | None, pod: PodId) -> None:
        if shim is not None and shim > _NODE_INIT:
            self._known[shim] = pod if self._known.get(shim, pod) == pod else None

    @cached_property
    def _namespaces(self) -> dict[str, PodId]:
        """The PID namespaces of pods' first processes that are one pod's alone."""
        found = {self._namespace_of(pid): pod for pod, pids in self._pods.items() for pid in pids}
        return {name: pod for name, pod in found.items() if name is not None and name not in self._shared}

    def owner(self, pid: int) -> PodId | None:
        """The pod of a process; None: it is of no pod, or has ended."""
        for _ in range(_TRIES):
            path, found, complete = self._ancestors(pid)
            if complete:
                break
        if found is None:
            found = self._by_namespace(path)
        self._known.update(dict.fromkeys(path if complete else (), found))
        self._known[pid] = found
        return found

    def _ancestors(self, pid: int) -> tuple[list[int], PodId | None, bool]:
        """The process and those above it that were not looked at before, the owner of the next one, and whether all of
        them could be read.
        """
        path: dict[int, None] = {}  # pids that were used again make no circle
        above: int | None = pid
        while above is not None and above > _NODE_INIT and above not in self._known and above not in path:
            path[above] = None
            above = self._parent_of(above)
        return list(path), None if above is None else self._known.get(above), above is not None

    def _by_namespace(self, path: Iterable[int]) -> PodId | None:
        """By the first of these processes whose namespace says something."""
        for pid in path:
            if (found := self._namespaces.get(self._namespace_of(pid) or "")) is not None:
                return found
        return None
