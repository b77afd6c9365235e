"""What is on this node, and whose: a look that changes nothing, for `gc --dry-run` and `doctor`.

Everything of a dead executor that the reaper would release is counted. An address in a ledger whose container id is a
pod's, but of which no executor has a record, is `unrecorded`: nothing proves what it belonged to, so it is named and
never touched; so are rules of such a pod. What carries any other id is another runtime's (the Mesos agent's tasks).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from executor.config import Config
from executor.errors import NetworkFailure
from executor.names import OWNER_LABEL, MesosContainerId, is_pod_id
from executor.node.claims import Owner, cni_parent, peek
from executor.node.judgement import Judgement, judged
from executor.node.lock_identity import parse
from executor.node.owner_marks import Marks
from executor.node.reaping.found import marks_on_node

if TYPE_CHECKING:
    from executor.cni.records.cache import Record
    from executor.cni.records.host_local import Entry
    from executor.containerd import Containerd
    from executor.node.shim_processes import Shim


@dataclass(frozen=True)
class Inventory:
    living: tuple[MesosContainerId, ...] = ()
    dead: dict[MesosContainerId, dict[str, int]] = field(default_factory=dict)
    """What each dead executor left, by kind; empty where only its owner file is left."""
    unknown: dict[MesosContainerId, str] = field(default_factory=dict)
    """Owners of which something is there, but whose death nothing proves, and why: never touched."""
    lost_shims: tuple[Shim, ...] = ()
    """Processes of containerd that serve no record, and of no executor that is known here: never touched."""
    unrecorded: tuple[Entry, ...] = ()
    others: tuple[Entry, ...] = ()
    """Addresses that other runtimes hold, the agent's first of all."""
    damaged: tuple[NetworkFailure, ...] = ()
    """Records of attachments that cannot be read."""
    unrecorded_rules: tuple[str, ...] = ()
    """Pods that have port or masquerade rules, but of which no executor has a record."""
    erased_rules: tuple[str, ...] = ()
    """Attachments whose port or masquerade rules are gone."""
    altered_networks: tuple[str, ...] = ()
    """Where the kernel does not have what is on record of a pod's attachment, in words."""

    def counts(self) -> dict[str, int]:
        """What all dead executors left together."""
        return dict(sorted(sum((Counter(counts) for counts in self.dead.values()), Counter[str]()).items()))


async def inventory(config: Config, containerd: Containerd | None) -> Inventory:
    """`containerd` None: its records are left out. Raises NetworkFailure, InvalidConfig, ContainerdFailure."""
    from executor.cni.rules import sweep
    from executor.node.reaper import still_there

    marks = await marks_on_node(config, containerd)
    with judged(Path(config.node.run_dir), marks) as judgement:
        pass  # a look holds up no reaper
    dead = {owner.container: await left_by(owner, config, containerd) for owner in judgement.dead}
    lost = await _lost_shims(judgement, config, containerd)
    unknown = await still_there(judgement, config, containerd)
    entries, rule_owners = _ledger(config), await sweep.owners(config.cni.timeout_s)
    attached = _attached(config)
    timeout_s = config.cni.timeout_s
    erased = sweep.erased(await sweep.all_saved(timeout_s), await sweep.nft_listed(timeout_s), attached)
    altered = altered_networks(attached)
    lasting = {record.subject for record in _attached(config)}  # a pod that ends meanwhile has lost nothing
    recorded = _recorded(config, marks)  # after what is judged by it
    unrecorded = [entry for entry in entries if entry.is_ours and entry.container_id not in recorded]
    rules = [pod for pod in sorted(rule_owners) if is_pod_id(pod) and pod not in recorded]
    if unrecorded or rules:  # a pod that was released meanwhile has neither any more
        lasting_entries, rule_owners = _ledger(config), await sweep.owners(config.cni.timeout_s)
        unrecorded = [entry for entry in unrecorded if entry in lasting_entries]
        rules = [pod for pod in rules if pod in rule_owners]
    return Inventory(
        living=tuple(sorted(judgement.living)),
        dead=dead,
        unknown=unknown,
        lost_shims=lost,
        unrecorded=tuple(unrecorded),
        others=tuple(entry for entry in entries if not entry.is_ours),
        damaged=_damaged(config),
        erased_rules=tuple(each for each in erased if each in lasting),
        altered_networks=tuple(f"{subject}: {text}" for subject, text in altered if subject in lasting),
        unrecorded_rules=tuple(rules),
    )


async def _lost_shims(judgement: Judgement, config: Config, containerd: Containerd | None) -> tuple[Shim, ...]:
    from executor.node.reaper import shim_groups
    from executor.node.reaping.shims import lost

    if containerd is None:
        return ()
    named = [Owner(each) for each in (*judgement.living, *judgement.unknown)]
    groups = [group for owner in (*judgement.dead, *named) for group in shim_groups(owner, config)]
    recorded = [each.id for each in await containerd.containers.list()]
    return tuple(lost(containerd.namespace, recorded, groups))


async def left_by(owner: Owner, config: Config, containerd: Containerd | None) -> dict[str, int]:
    """What the reaper would release of a dead owner, by kind."""
    from executor.node.reaper import shim_groups
    from executor.node.reaping import volumes
    from executor.node.reaping.containers import without_record
    from executor.node.reaping.networks import pins_directory, state_directory, things
    from executor.node.reaping.shims import in_groups
    from executor.volumes import mountinfo

    counts = {
        "processes": _processes(owner),
        "attachments": len(things(state_directory(owner, config))),
        "namespaces": len(things(pins_directory(owner, config))),
        "mounts": len(mountinfo.below(volumes.directory(owner, config))),
        "names": _names(config, owner),
        "cgroup trees": _trees(owner),
    }
    if containerd is not None:
        label = {OWNER_LABEL: owner.container}
        recorded = [each.id for each in await containerd.containers.list(label)]
        counts["containers"] = len(recorded)
        counts["snapshots"] = len(await containerd.snapshots.list(label))
        counts["leases"] = len(await containerd.leases.list(label))
        counts["shims"] = len(without_record(in_groups(shim_groups(owner, config)), recorded))
    return {kind: count for kind, count in sorted(counts.items()) if count}


def _processes(owner: Owner) -> int:
    from cgroups import Cgroup, Hierarchies
    from executor.node.reaper import root_of

    root = root_of(owner)
    return len(Cgroup(Hierarchies.discover(), f"{root}/pods").pids()) if root else 0


def _trees(owner: Owner) -> int:
    from cgroups import Cgroup, Hierarchies
    from executor.node.reaper import root_of

    root = root_of(owner)
    return int(bool(root) and Cgroup(Hierarchies.discover(), root).exists())


def _names(config: Config, owner: Owner) -> int:
    from executor.dns import HostsDir

    return len(HostsDir(Path(owner.hosts_dir or config.dns.hosts_dir)).names(owner.container))


def _ledger(config: Config) -> list[Entry]:
    from executor.cni.config.catalog import Catalog
    from executor.cni.records.host_local import entries

    return entries(Catalog(Path(config.cni.config_dir)).networks())


def _recorded(config: Config, marks: Marks) -> set[str]:
    """The pods of which some executor, dead or alive, has a record, also one with another state_dir."""
    identities = [parse(text) for texts in marks.values() for text in texts]
    others = {owner.state_dir for each in identities if each is not None and (owner := peek(Path(each.path)))}
    parents = {config.node.state_dir, *filter(None, others)}
    executors = [each for parent in sorted(parents) for each in _directories(cni_parent(parent))]
    return {pod.name for executor in executors for pod in _directories(executor)}


def _damaged(config: Config) -> tuple[NetworkFailure, ...]:
    from executor.cni.records.cache import Cache

    executors = _directories(cni_parent(config.node.state_dir))
    return tuple(failure for executor in executors for failure in Cache(executor).readable()[1])


def _attached(config: Config) -> list[Record]:
    from executor.cni.records.cache import Cache

    executors = _directories(cni_parent(config.node.state_dir))
    return [record for executor in executors for record in Cache(executor).readable()[0]]


def altered_networks(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Each record's subject, and in words what the kernel does not have as it is recorded. Records without a namespace
    are left out: their pod ends. Raises OSError.
    """
    from executor.cni.plugins.result import attachment
    from executor.netlink import requests
    from executor.netlink.comparison import differences
    from executor.netlink.namespaces import own, visit

    made = [each for each in records if each.complete and each.result is not None]
    node, found = own(requests.links), visit([Path(each.netns) for each in made], requests.namespace)
    return [
        (record.subject, text)
        for record, there in zip(made, found, strict=True)
        if not isinstance(there, OSError)
        for text in differences([attachment(record.network, record.ifname, record.result or {})], there, node)
    ]


def _directories(parent: Path) -> list[Path]:
    return [path for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
