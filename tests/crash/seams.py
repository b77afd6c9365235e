"""The named seams at which an executor or its reaper can be killed, taken from their code: every effect of a pod's life
cycle, every step of the parts that carry them out, and every step of the reaper. A new effect, or a new step, is a new
seam without any further line here.

A seam is `effect/SetUp`, `Sandbox.prepare`, or `reaper._processes`; it has a moment before it and one after it.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from executor.cni import Cni, netns
from executor.containerd.containers import Containers as ContainerRecords
from executor.containerd.leases import Leases
from executor.containerd.snapshots import Snapshots
from executor.containerd.tasks import Tasks
from executor.dns import hostsdir
from executor.mesos.driver import Driver
from executor.node import claims, owner_marks, reaper, runtime_state, shim_sockets
from executor.node.reaping import containers, groups, networks, shims, volumes
from executor.pod.container.containers import Containers
from executor.pod.life import effects
from executor.pod.release.containerd_records import Release
from executor.pod.release.teardown import TearDown
from executor.pod.resources.classes import Classes
from executor.pod.sandbox import Sandbox
from executor.revocation.ladder import Ladder
from executor.revocation.receipts import Receipts
from executor.volumes import mount_tree
from executor.volumes.pod_volumes import PodVolumes

EFFECT = "effect/"
MOMENTS = ("before", "after")
PARTS: tuple[type, ...] = (
    Sandbox,
    PodVolumes,
    Classes,
    Containers,
    TearDown,
    Release,
    Cni,
    Tasks,
    Snapshots,
    Leases,
    Ladder,
)
"""Their public steps are seams: what is awaited."""
AT_ONCE: tuple[tuple[type, str], ...] = (
    (Driver, "update"),
    (Receipts, "give"),
    (Ladder, "prove"),
    (Ladder, "_give_notice"),
    (Ladder, "_take_cpu"),
    (Ladder, "_terminate"),
    (Ladder, "_kill"),
    (Ladder, "_finish"),
    (ContainerRecords, "create"),
    (ContainerRecords, "delete"),
)
"""Further ones: what is not awaited, the rungs of a revocation, and containerd's records of containers."""
REAPER = (reaper, containers, networks, volumes, shims)
"""Modules of the reaper: what is awaited in them is a seam, private or not."""
REAPER_FURTHER: tuple[tuple[type | ModuleType, str], ...] = (
    (groups, "remove_empty"),
    (groups, "remove_parents"),
    (shims, "end_helpers"),
    (shims, "_removed"),
    (shims, "_remove_sockets"),
    (networks, "release_unwritten"),
    (networks, "_remove_empty"),
    (claims, "forget"),
    (claims, "forget_files"),
    (claims, "remember"),
    (owner_marks, "remove"),
    (shim_sockets, "remove_dead"),
    (runtime_state, "remove_abandoned"),
    (mount_tree, "remove"),
    (hostsdir, "remove_owner"),
    (netns, "destroy"),
    (Cni, "detach"),
    (Tasks, "remove"),
    (Snapshots, "remove"),
    (Leases, "delete"),
    (ContainerRecords, "delete"),
)
"""Further ones: what the steps of the reaper call to remove something."""


@dataclass(frozen=True)
class Step:
    """A function of a class or of a module."""

    owner: type | ModuleType
    name: str

    @property
    def seam(self) -> str:
        owner = "ContainerRecords" if self.owner is ContainerRecords else self.owner.__name__.rpartition(".")[2]
        return f"{owner}.{self.name}"

    @property
    def function(self) -> Callable[..., Any]:
        found: Callable[..., Any] = vars(self.owner)[self.name]
        return found


def effect_names() -> list[str]:
    """All effects that a life cycle can decide."""
    return [each.__name__ for each in _members(effects.Effect)]


def _members(union: Any) -> Iterator[type]:
    for each in typing.get_args(union):
        yield from _members(each) if typing.get_args(each) else (each,)


def steps() -> list[Step]:
    """All steps of the parts."""
    found = [
        Step(owner, name)
        for owner in PARTS
        for name, function in vars(owner).items()
        if inspect.iscoroutinefunction(function) and not name.startswith("_")
    ]
    return [*found, *(Step(owner, name) for owner, name in AT_ONCE)]


def reaper_steps() -> list[Step]:
    """All steps of the reaper."""
    found = [
        Step(module, name)
        for module in REAPER
        for name, function in vars(module).items()
        if inspect.iscoroutinefunction(function) and function.__module__ == module.__name__
    ]
    return [*found, *(Step(owner, name) for owner, name in REAPER_FURTHER)]


def names() -> list[str]:
    """Every seam of an executor."""
    return [*(f"{EFFECT}{name}" for name in effect_names()), *(step.seam for step in steps())]
