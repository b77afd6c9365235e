"""Which pod a process belongs to, by what no move to another cgroup changes: its PID namespace and its ancestors. Pure.

A process keeps its PID namespace (pid_namespaces(7)). When its parent ends, the first process of that namespace becomes
its parent, or the shim of its pod where the pod has the node's processes (PR_SET_CHILD_SUBREAPER in prctl(2)). A
namespace within that of a container has its parents there too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from executor.names import PodId

_TRIES = 3
"""For one process whose ancestors end while they are read."""
_NODE_INIT = 1


class ProcessOwners:
    """`pods`: the first processes of the containers of each pod. `shared`: PID namespaces that say nothing, as several
    pods or the node have them. `namespace_of` and `parent_of` read the kernel, and return None for a process that has
    ended; `namespace_of` does so too for a process that may not be looked at.
    """

    def __init__(
        self,
        pods: Mapping[PodId, Collection[int]],
        *,
        shared: Collection[str],
        namespace_of: Callable[[int], str | None],
        parent_of: Callable[[int], int | None],
    ) -> None:
        self._namespace_of, self._parent_of = namespace_of, parent_of
        self._namespaces: dict[str, PodId] = {}
        self._known: dict[int, PodId | None] = {}
        """Owners of processes: of each that was looked at, so that no ancestor is looked at twice."""
        for pod, pids in pods.items():
            for pid in pids:
                namespace = namespace_of(pid)
                if namespace is not None and namespace not in shared:
                    self._namespaces[namespace] = pod
                else:
                    self._know_shim(parent_of(pid), pod)
        self._known.update((pid, pod) for pod, pids in pods.items() for pid in pids)

    def _know_shim(self, shim: int | None, pod: PodId) -> None:
        if shim is not None and shim > _NODE_INIT:
            self._known[shim] = pod if self._known.get(shim, pod) == pod else None

    def owner(self, pid: int) -> PodId | None:
        """The pod of a process; None: it is of no pod, or has ended."""
        found, complete = self._look(pid)
        for _ in range(_TRIES - 1):
            if complete:
                break
            found, complete = self._look(pid)
        self._known[pid] = found
        return found

    def _look(self, pid: int) -> tuple[PodId | None, bool]:
        """The owner, and whether the ancestors could be read up to the one that says so."""
        path: list[int] = []
        above: int | None = pid
        found: PodId | None = None
        while above is not None and above > _NODE_INIT and above not in self._known:
            path.append(above)
            self._known[above] = None  # pids that were used again make no circle
            found = self._namespaces.get(self._namespace_of(above) or "")
            if found is not None:
                break
            above = self._parent_of(above)
        else:
            found = None if above is None else self._known.get(above)
        for each in path:
            if above is None:
                del self._known[each]
            else:
                self._known[each] = found
        return found, above is not None
