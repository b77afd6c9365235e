"""The executor's side: the names of its own pods, published when they have addresses and withdrawn when they end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from executor.dns.hostsdir import HostsDir, remove_owner
from executor.dns.name_owners import NameTable
from executor.dns.names import PodNames, Zones, hosts_text, mesos_names, pod_names
from executor.errors import Failure
from executor.names import AgentId, MesosContainerId, PodId

if TYPE_CHECKING:
    from executor.spec.model import PodSpec


class Names:
    """One executor's files, `<Mesos container id>.<pod id>`. Every call takes well under a millisecond and blocks."""

    def __init__(self, hosts: HostsDir, owner: MesosContainerId, agent: AgentId, zones: Zones, lock: str = "") -> None:
        """`lock` says which lock is the owner's (executor/node/lock_identity.py)."""
        self.zones = zones
        self._lock = lock
        self.framework = ""
        """Its name; known once the executor has subscribed."""
        self._agent = agent
        self._hosts = hosts
        self._owner = owner
        self._book: NameTable[PodId] = NameTable()

    def of(self, spec: PodSpec, ips: Sequence[str]) -> PodNames:
        """What a pod is called that has these addresses: its own names, then those of its tasks."""
        tasks = zip(spec.task_names, spec.task_ids, strict=False)
        mesos = [mesos_names(name, task, self.framework, self._agent, self.zones) for name, task in tasks]
        return pod_names(spec, ips, self.zones, mesos=[name for names in mesos for name in names])

    def publish(self, pod: PodId, names: PodNames) -> None:
        """Also to change them: the old ones are gone in the same step. Raises Failure."""
        self._hosts.ensure()
        self._hosts.mark(self._owner, self._lock)
        try:
            self._write(self._book.put(pod, names.pairs()))
        except Failure:
            self._book.drop(pod)
            raise

    def withdraw(self, pod: PodId) -> None:
        """Before the addresses are given back. Missing is success. Raises Failure, and may then be repeated."""
        self._hosts.remove(self._owner, pod)
        self._write(self._book.drop(pod))

    def close(self) -> None:
        """Everything of this executor. Raises Failure."""
        remove_owner(self._hosts.path, self._owner)

    def _write(self, pods: list[PodId]) -> None:
        for pod in pods:
            self._hosts.write(self._owner, pod, hosts_text(f"pod {pod}", self._book.carried(pod)))
