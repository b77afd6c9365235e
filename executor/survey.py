"""What is on this node, and whose: a look that changes nothing, for `gc --dry-run` and `doctor`.

Of a dead executor everything is counted that the reaper would release. An address in a ledger whose container id is a
pod's, but of which no executor has a record, is `unrecorded`: nothing proves what it belonged to, so it is named and
never touched; so are rules of such a pod. What carries any other id is another runtime's (the Mesos agent's tasks).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor import owners
from executor.config import Config
from executor.errors import NetworkFailure
from executor.names import MesosContainerId, is_pod_id
from executor.owners import Owner, cni_parent, netns_parent
from executor.pod.node import OWNER_LABEL

if TYPE_CHECKING:
    from executor.cni.cache import Record
    from executor.cni.ledger import Entry
    from executor.containerd import Containerd


@dataclass(frozen=True)
class Survey:
    living: tuple[MesosContainerId, ...] = ()
    dead: dict[MesosContainerId, dict[str, int]] = field(default_factory=dict)
    """What each dead executor left, by kind; empty where only its owner file is left."""
    unrecorded: tuple[Entry, ...] = ()
    others: tuple[Entry, ...] = ()
    """Addresses that other runtimes hold, the agent's first of all."""
    damaged: tuple[NetworkFailure, ...] = ()
    """Records of attachments that cannot be read."""
    unrecorded_rules: tuple[str, ...] = ()
    """Pods that have port or masquerade rules, but of which no executor has a record."""
    erased_rules: tuple[str, ...] = ()
    """Attachments whose port or masquerade rules are gone."""

    def counts(self) -> dict[str, int]:
        """What all dead executors left together."""
        return dict(sorted(sum((Counter(counts) for counts in self.dead.values()), Counter[str]()).items()))


async def survey(config: Config, containerd: Containerd | None) -> Survey:
    """`containerd` None: its records are left out. Raises NetworkFailure, InvalidConfig, ContainerdFailure."""
    from executor.cni import rules
    from executor.reaper import names_on_node

    run_dir = Path(config.node.run_dir)
    seen = await names_on_node(config, containerd)
    alive = owners.living(run_dir)
    with owners.dead(run_dir) as found:
        known = {owner.container: owner for owner in found}
    left = {each: known.get(each, Owner(each)) for each in sorted((seen | set(known)) - alive)}
    dead = {container: await _of(owner, config, containerd) for container, owner in left.items()}
    entries, rule_owners = _ledger(config), await rules.owners(config.cni.timeout_s)
    attached = _attached(config)
    erased = rules.erased(await rules.all_saved(config.cni.timeout_s), attached)
    lasting = {record.subject for record in _attached(config)}  # a pod that ends meanwhile has lost nothing
    recorded = _recorded(config)  # after what is judged by it
    return Survey(
        living=tuple(sorted(alive)),
        dead=dead,
        unrecorded=tuple(entry for entry in entries if entry.is_ours and entry.container_id not in recorded),
        others=tuple(entry for entry in entries if not entry.is_ours),
        damaged=_damaged(config),
        erased_rules=tuple(each for each in erased if each in lasting),
        unrecorded_rules=tuple(pod for pod in sorted(rule_owners) if is_pod_id(pod) and pod not in recorded),
    )


async def _of(owner: Owner, config: Config, containerd: Containerd | None) -> dict[str, int]:
    counts = {
        "processes": _processes(owner),
        "attachments": _length(cni_parent(config.node.state_dir) / owner.container),
        "namespaces": _length(netns_parent(config.node.run_dir) / owner.container),
        "names": _names(config, owner),
        "cgroup trees": _trees(owner),
    }
    if containerd is not None:
        label = {OWNER_LABEL: owner.container}
        counts["containers"] = len(await containerd.containers.list(label))
        counts["snapshots"] = len(await containerd.snapshots.list(label))
    return {kind: count for kind, count in sorted(counts.items()) if count}


def _processes(owner: Owner) -> int:
    from cgroups import Cgroup, Hierarchies

    return len(Cgroup(Hierarchies.discover(), f"{owner.cgroup_root}/pods").pids()) if owner.cgroup_root else 0


def _trees(owner: Owner) -> int:
    from cgroups import Cgroup, Hierarchies

    return int(bool(owner.cgroup_root) and Cgroup(Hierarchies.discover(), owner.cgroup_root).exists())


def _names(config: Config, owner: Owner) -> int:
    from executor.dns import HostsDir

    return len(HostsDir(Path(config.dns.hosts_dir)).names(owner.container))


def _length(directory: Path) -> int:
    return len(list(directory.iterdir())) if directory.is_dir() else 0


def _ledger(config: Config) -> list[Entry]:
    from executor.cni.catalog import Catalog
    from executor.cni.ledger import entries

    return entries(Catalog(Path(config.cni.config_dir)).networks())


def _recorded(config: Config) -> set[str]:
    """The pods of which some executor, dead or alive, has a record."""
    executors = _directories(cni_parent(config.node.state_dir))
    return {pod.name for executor in executors for pod in _directories(executor)}


def _damaged(config: Config) -> tuple[NetworkFailure, ...]:
    from executor.cni.cache import Cache

    executors = _directories(cni_parent(config.node.state_dir))
    return tuple(failure for executor in executors for failure in Cache(executor).readable()[1])


def _attached(config: Config) -> list[Record]:
    from executor.cni.cache import Cache

    executors = _directories(cni_parent(config.node.state_dir))
    return [record for executor in executors for record in Cache(executor).readable()[0]]


def _directories(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
