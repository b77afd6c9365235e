"""The executor's layout of groups. Pure paths, but for what says `ensure` or `destroy`.

    <root>/executor                                   the executor's own process (a leaf, so that v2 can delegate)
    <root>/pods/regular/<role>/<pod>/<container>
    <root>/pods/revocable/<role>/<pod>/<container>

Roles nest by their `/`; names are escaped so that no role can be taken for a pod and no name leaves its directory
(names.py). A pod's group belongs to the executor, its containers' groups to runc; a role's group lives as long as
there is a pod below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cgroups.errors import InvalidName
from cgroups.group import Cgroup
from cgroups.mounts import Hierarchies
from cgroups.names import escape, is_pod_directory, pod_directory, role_of, role_path

CLASSES = ("regular", "revocable")


@dataclass(frozen=True)
class Tree:
    """`root_path` is absolute. Raises InvalidName for a root that is none."""

    hierarchies: Hierarchies
    root_path: str

    @property
    def root(self) -> Cgroup:
        """The parent of `executor` and `pods`."""
        return Cgroup(self.hierarchies, self.root_path)

    @property
    def executor(self) -> Cgroup:
        """The leaf of the executor itself."""
        return self.root.child("executor")

    @property
    def pods(self) -> Cgroup:
        """The parent of both classes' subtrees."""
        return self.root.child("pods")

    def subtree(self, pod_class: str) -> Cgroup:
        """Everything of one class: what a revocation of all kills. Raises ValueError for another word."""
        if pod_class not in CLASSES:
            raise ValueError(f"{pod_class!r} is neither regular nor revocable")
        return self.pods.child(pod_class)

    def role(self, pod_class: str, role: str) -> Cgroup:
        """Everything of one class that a role and the roles below it hold. Raises InvalidName."""
        return self._below(pod_class, role_path(role))

    def pod(self, pod_class: str, role: str, pod_id: str) -> Cgroup:
        """Raises InvalidName."""
        return self.role(pod_class, role).child(pod_directory(pod_id))

    def container(self, pod_class: str, role: str, pod_id: str, container: str) -> Cgroup:
        """The group that runc makes. Raises InvalidName."""
        return self.pod(pod_class, role, pod_id).child(escape(container))

    def ensure_pod(self, pod_class: str, role: str, pod_id: str) -> Cgroup:
        """The pod's group and those above it. Raises CgroupError."""
        group = self.pod(pod_class, role, pod_id)
        group.ensure()
        return group

    def destroy_pod(self, pod_class: str, role: str, pod_id: str) -> None:
        """Removes the pod's group, then the role's groups that have become empty. Raises CgroupBusy while it lives."""
        self.pod(pod_class, role, pod_id).destroy()
        names = role_path(role)
        for length in range(len(names), 0, -1):
            if not self._below(pod_class, names[:length]).prune():
                return

    def walk(self, pod_class: str) -> Iterator[tuple[str, str]]:
        """Every pod with a group in this class, in any hierarchy: its role and its id. Foreign groups are skipped."""
        yield from self._walk(pod_class, ())

    def _walk(self, pod_class: str, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        names = self._below(pod_class, path).children()
        role = role_of(path) if path else None
        for name in names:
            try:
                if is_pod_directory(name):
                    if role is not None:
                        yield role, pod_directory(name)
                    continue
                role_of((*path, name))
            except InvalidName:
                continue
            yield from self._walk(pod_class, (*path, name))

    def _below(self, pod_class: str, path: tuple[str, ...]) -> Cgroup:
        group = self.subtree(pod_class)
        for name in path:
            group = group.child(name)
        return group
