"""Watches this node for pressure and does what `pressure.decide` says. One task of the executor, when enabled.

    no revocable pod: asleep ─▶ calm: PSI triggers ─▶ pressure: a look every interval ─▶ calm

Nothing is looked at while no revocable pod lives. While one does and all is calm, the kernel reports stalls; the
memory's headroom has no trigger and is looked at the more rarely the larger it is, once a minute at least.
Owns the limits of the squeeze: they go when the task ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cgroups import CgroupError, Resource, StallWatch
from cgroups.files import Directory
from cgroups.inotify import Inotify
from cgroups.stall import WINDOW_USEC
from executor import exhausted
from executor.errors import ExecutorError
from executor.log import get_logger
from executor.names import PodClass
from executor.revocation.pressure import Control, Phase, Policy, Release, Revoke, Squeeze, decide, look_again_s, pressed
from executor.revocation.readings import Borrowed, Readings, Sample, between
from executor.spec import roles

if TYPE_CHECKING:
    from cgroups import Tree
    from executor.config import Config
    from executor.revocation.pod import Pod
    from executor.revocation.revoker import Revoker
    from executor.revocation.sensors import Sensors
    from executor.revocation.squeeze import SqueezedPods

log = get_logger(__name__)

BLIND_LOOK_S = 5.0
"""How often the node is looked at while it is calm on a kernel without triggers."""
AFTER_DEFECT_S = 30.0


class Governor:
    """`pods` are those that live, of both classes; `run_dir` is where the node's executors come and go."""

    def __init__(
        self,
        policy: Policy,
        sensors: Sensors,
        squeezed: SqueezedPods,
        revoker: Revoker,
        pods: Iterable[Pod],
        run_dir: Path,
    ) -> None:
        self._policy = policy
        self._sensors = sensors
        self._squeezed = squeezed
        self._revoker = revoker
        self._pods = pods
        self._run_dir = run_dir
        self._control = Control()
        self._revoking: asyncio.Task[Any] | None = None
        self._wake = asyncio.Event()
        self._said: set[str] = set()

    def view(self) -> dict[str, Any]:
        """What is in force, for `GET /v1/executor`."""
        control = self._control
        return {"phase": str(control.phase), "cpus": control.cpus, "memory_high_bytes": control.high_bytes}

    def pods_changed(self) -> None:
        """A pod was taken in, and has not begun to start, or has ended."""
        self._wake.set()
        try:
            self._squeezed.pods_changed()
        except CgroupError as error:
            self._failed(error)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                try:
                    await self._watch()
                except Exception as error:
                    if exhausted.tell(log, error) is None:
                        log.exception("defect while watching for pressure", code="pressure.defect")
                    await asyncio.sleep(AFTER_DEFECT_S)
        finally:
            if self._control.phase is not Phase.CALM:
                self._let_go()

    async def _watch(self) -> None:
        before: Sample | None = None
        while True:
            if self._control.phase is Phase.CALM:
                before = None
                await self._calm()
            before = before or self._sensors.sample()
            await asyncio.sleep(self._policy.interval_s)
            after = self._sensors.sample()
            await self._act(self._read(before, after))
            before = after

    def _read(self, before: Sample, after: Sample) -> Readings:
        return between(before, after, capacity_cpus=self._sensors.capacity_cpus, borrowed=self._borrowed())

    def _borrowed(self) -> Borrowed:
        pods = [pod for pod in self._pods if pod.spec.pod_class is PodClass.REVOCABLE]
        victims = [pod.spec.resources for pod in pods if not pod.is_stopping]
        return Borrowed(
            pods=len(pods),
            victims=len(victims),
            cpus=sum(each.cpus for each in victims),
            mem_bytes=sum(each.mem_bytes for each in victims),
            revoking=self._revoking is not None and not self._revoking.done(),
        )

    # --- calm ------------------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """Until there is a revocable pod, and a reason to look at the node."""
        self._wake.clear()
        while not self._borrowed().pods:
            await self._wake.wait()
            self._wake.clear()
        now = self._sensors.sample()
        timeout_s = look_again_s(self._policy, self._read(now, now))
        with ExitStack() as stack:
            if not self._arm(stack):
                timeout_s = min(BLIND_LOOK_S, timeout_s or BLIND_LOOK_S)
            try:
                async with asyncio.timeout(timeout_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def _arm(self, stack: ExitStack) -> bool:
        """Have the kernel set `_wake`. Whether it will for all that is watched and there."""
        wake = self._wake.set
        stalls = stack.enter_context(StallWatch(wake))
        wanted = [(Resource.CPU, self._policy.cpu_stall_percent)]
        if self._policy.memory_reserve_percent:
            wanted.append((Resource.MEMORY, self._policy.memory_stall_percent))
        wanted = [(resource, percent) for resource, percent in wanted if percent]
        try:
            for group in self._sensors.protected():
                for resource, percent in wanted if group.exists() else ():
                    stalls.add(group, resource, _usec(percent))
            if (Resource.MEMORY, self._policy.memory_stall_percent) in wanted:
                stalls.add(None, Resource.MEMORY, _usec(self._policy.memory_stall_percent), full=True)
            self._follow_executors(stack)
        except (CgroupError, OSError) as error:
            self._say_blind(error)
            return False
        return True

    def _follow_executors(self, stack: ExitStack) -> None:
        """One that starts has regular pods to be watched. Raises CgroupError."""
        loop, inotify = asyncio.get_running_loop(), Inotify()
        stack.callback(inotify.close)
        with Directory.open(self._run_dir) as directory:
            inotify.add(directory, ".")
        loop.add_reader(inotify.fd, self._wake.set)
        stack.callback(loop.remove_reader, inotify.fd)

    def _say_blind(self, error: OSError) -> None:
        if "blind" not in self._said:
            self._said.add("blind")
            log.warning(
                "the kernel cannot report stalls", code="pressure.blind", error=str(error), delay_s=BLIND_LOOK_S
            )

    # --- under pressure --------------------------------------------------------------------------------------

    async def _act(self, now: Readings) -> None:
        previous = self._control
        self._control, actions = decide(self._policy, previous, now)
        for action in actions:
            match action:
                case Squeeze(cpus, high_bytes):
                    await self._squeeze(cpus, high_bytes)
                case Revoke(cpus, mem_bytes):
                    self._revoke(cpus, mem_bytes)
                case Release():
                    self._let_go()
        if self._control.phase is not previous.phase:
            self._tell(previous.phase, now)
        log.debug("pressure", state=self._control.phase, **_figures(self._control, now))

    async def _squeeze(self, cpus: float | None, high_bytes: int | None) -> None:
        try:
            self._squeezed.limit_cpus(cpus)
            await asyncio.to_thread(self._squeezed.limit_memory, high_bytes)
        except CgroupError as error:
            self._failed(error)
        else:
            self._said.discard("failed")

    def _let_go(self) -> None:
        """Taking limits away is quick."""
        for let_go in (self._squeezed.limit_cpus, self._squeezed.limit_memory):
            try:
                let_go(None)
            except CgroupError as error:
                self._failed(error)

    def _failed(self, error: CgroupError) -> None:
        """Once until it works again: it is tried every second."""
        if "failed" not in self._said:
            self._said.add("failed")
            log.warning("could not squeeze the revocable pods", code="pressure.squeeze_failed", error=str(error))

    def _revoke(self, cpus: float, mem_bytes: int) -> None:
        amounts = {"cpus": cpus, "mem": mem_bytes}
        reclaim = {name: amount for name, amount in amounts.items() if amount}
        reason = f"pressure on the node: {' and '.join(reclaim)}"
        try:
            self._revoking = self._revoker.take({"reason": reason, "reclaim": reclaim}, "pressure on the node").task
        except ExecutorError as error:
            log.warning("could not revoke", code="pressure.revoke_failed", error=str(error))
            return
        self._revoking.add_done_callback(_retrieve)

    def _tell(self, previous: Phase, now: Readings) -> None:
        phase, figures = self._control.phase, _figures(self._control, now)
        figures["reason"] = ", ".join(pressed(self._policy, now))
        if phase is Phase.SQUEEZING and previous is Phase.CALM:
            log.info("revocable pods are squeezed", code="pressure.squeezed", **figures)
        elif phase is Phase.SQUEEZING and previous is Phase.COOLING:
            log.info("pressure is back", code="pressure.returned", **figures)
        elif phase is Phase.REVOKING:
            log.info("squeezing does not suffice", code="pressure.revoked", **figures)
        elif phase is Phase.COOLING:
            log.info("pressure has passed", code="pressure.eased", delay_s=self._policy.cool_down_s, **figures)
        elif phase is Phase.CALM:
            log.info("revocable pods are free again", code="pressure.released", **figures)


def _usec(percent: float) -> int:
    return max(1, round(percent / 100 * WINDOW_USEC))


def _retrieve(task: asyncio.Task[Any]) -> None:
    """The revoker has logged what there is to say; the next reading shows whether it helped."""
    if not task.cancelled():
        task.exception()


def _figures(control: Control, now: Readings) -> dict[str, Any]:
    return {
        "quota_cpus": control.cpus,
        "limit_bytes": control.high_bytes,
        "cpu_stall_percent": round(now.cpu_stall_percent, 1),
        "memory_stall_percent": round(now.memory_stall_percent, 1),
        "rest_cpus": round(now.rest_cpus, 2),
        "revocable_cpus": round(now.revocable_cpus, 2),
        "available_bytes": now.available_bytes,
        "count": now.borrowed.pods,
    }


def govern(config: Config, tree: Tree, revoker: Revoker, pods: Iterable[Pod]) -> Governor:
    """Make it from the configuration. Raises InvalidConfig."""
    from executor.revocation.sensors import Sensors
    from executor.revocation.squeeze import SqueezedPods

    section, run_dir = config.pressure, Path(config.node.run_dir)
    policy = Policy(**{each.name: getattr(section, each.name) for each in fields(Policy)})
    squeezed = SqueezedPods(tree, pods, lambda role: roles.cpus_of(config.roles.limits, role))
    return Governor(policy, Sensors(tree, run_dir, section.protect), squeezed, revoker, pods, run_dir)
