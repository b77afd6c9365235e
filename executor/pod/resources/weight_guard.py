"""Gives the executor's container the CPU weight back that its regular pods are due.

With its default --revocable_cpu_low_priority the agent sets the weight of a whole container that holds any revocable
cpu to 10 shares a cpu instead of 1024 (src/slave/containerizer/mesos/isolators/cgroups/subsystems/cpu.cpp), and so
starves the regular pods in it. The agent writes before it sends a LAUNCH and before it acknowledges a terminal update;
the kernel reports no such write. So the weight is looked at on those events, and now and then while revocable
pods live. It is only ever raised, to what the regular cpus alone amount to; the agent lowers it when they go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError, Limits, qos
from executor.log import get_logger
from executor.names import PodClass

if TYPE_CHECKING:
    from cgroups import Cgroup
    from executor.pod.runner import PodRunner

log = get_logger(__name__)

LOOK_S = 10.0
SAY_AGAIN_S = 60.0
"""An agent that lowers the weight does so at every task that comes or goes: one line a minute says it."""


class WeightGuard:
    """`root` is the container's cgroup, None for one that is not the agent's; `pods` are those that live."""

    def __init__(self, root: Cgroup | None, pods: Iterable[PodRunner]) -> None:
        self._root = root
        self._pods = pods
        self._executor_cpus = 0.0
        self._restored = 0
        self._said_s: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def subscribed(self, executor_info: Mapping[str, Any]) -> None:
        """Learn what the executor itself was given."""
        resources = [each for each in executor_info.get("resources", ()) if each.get("name") == "cpus"]
        regular = [each for each in resources if each.get("revocable") is None]
        self._executor_cpus = qos.total(each.get("scalar", {}).get("value", 0.0) for each in regular)
        self.check()

    def check(self) -> None:
        """After anything that may have made the agent write the weight."""
        if self._root is None:
            return
        pods = [runner.spec for runner in self._pods]
        regular = [spec.resources.cpus for spec in pods if spec.pod_class is PodClass.REGULAR]
        if regular:
            self._restore(self._root, qos.total([self._executor_cpus, *regular]))
        self.close()
        if len(regular) < len(pods):
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self.check)

    def close(self) -> None:
        """No more looks by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _restore(self, root: Cgroup, cpus: float) -> None:
        try:
            found = root.cpu_weight()
            due = qos.guarded_weight(found, cpus)
            if due is None:
                return
            root.apply(Limits(cpu_weight=due))
        except CgroupError as error:  # the agent is ending this container
            log.debug("could not look after the container's weight", cgroup=root.path, error=str(error))
            return
        self._restored += 1
        self._say(root.path, found, due)

    def _say(self, path: str, found: int | None, due: int) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._said_s is not None and now_s - self._said_s < SAY_AGAIN_S:
            return
        self._said_s = now_s
        log.warning(
            "the agent had lowered the weight of this container",
            code="cgroup.weight_restored",
            cgroup=path,
            weight=due,
            previous=found,
            count=self._restored,
        )
