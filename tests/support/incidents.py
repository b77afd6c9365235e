"""The incidents of the runbook on a node: what the tests stage, and `incident NAME` at the prompt of the demo.

with Stage(rig, scheduler, "mixed") as stage:
    task = INCIDENTS["crash-loop"].begin(stage)   # `why TASK` explains it now
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

import psutil

from tests.support.hung_fs import HungFs
from tests.support.mesos import messages
from tests.support.mesos.history import UnexpectedError
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

STORAGE: Final = Path("/run/incident-storage")
"""Where storage that does not answer is mounted, in the private node's own /run. The policy must allow it."""
MISSING: Final = "registry.invalid/none:1"
_EATS: Final = ("sh", "-c", "x=$(yes | tr -d '\\n' | head -c 100000000); sleep 1000")
_WRITES: Final = ("sh", "-c", "dd if=/dev/zero of=/file bs=1M count=40; sleep 1000")
_CRASHES: Final = ("sh", "-c", "echo 'FATAL: no database' >&2; exit 3")
_RUNNING_S: Final = 60.0


class Stage:
    """Owns what incidents need besides pods: storage that does not answer."""

    def __init__(self, rig: Rig, scheduler: Scheduler, executor_id: str) -> None:
        self.rig, self.scheduler = rig, scheduler
        self._executor_id = executor_id
        self._numbers = count(1)
        self._storage = ExitStack()
        self.tasks: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """The storage answers again, with errors. Idempotent."""
        self._storage.close()

    def launch(self, kind: str, *, disk_mib: float = 0, **keys: Any) -> str:
        """A pod of the name `kind` and a number, as Rig.pod makes it; its task."""
        name = f"{kind}-{next(self._numbers)}"
        task = self.rig.pod(name, **keys)
        if disk_mib:
            task["resources"].append(messages.scalar("disk", disk_mib))
        self.scheduler.launch([task], self.rig.executor(self._executor_id))
        self.tasks.append(name)
        return name

    def launch_tasks(self, tasks: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
        """TaskInfos as the command `task` prints them; the first state of each that tells whether it runs. Raises
        UnexpectedError of one line for a name that is taken, and where nothing fits.
        """
        start = self.scheduler.mark()
        own = [{**task, "resources": list(map(_unallocated, task["resources"]))} for task in tasks]
        taken = [name for task in own if self._lives(name := task["task_id"]["value"])]
        if taken:
            raise UnexpectedError(f"a pod named {taken[0]} runs already: give this one another metadata.name")
        try:
            self.scheduler.launch(own, self.rig.executor(self._executor_id))
        except UnexpectedError:
            asked = _amounts(resource for task in own for resource in task["resources"])
            free = _amounts(resource for offer in self.scheduler.offers() for resource in offer["resources"])
            raise UnexpectedError(f"nothing fits: the pods ask for {asked}, and {free or 'nothing'} is free") from None
        for task in own:
            name = task["task_id"]["value"]
            self.tasks.append(name)
            status = self.scheduler.wait_status(name, ("TASK_RUNNING", *messages.TERMINAL), _RUNNING_S, start=start)
            yield name, f"{status.state} {status.message}".rstrip()

    def _lives(self, name: str) -> bool:
        seen = self.scheduler.states(name)
        return bool(seen) and seen[-1] not in messages.TERMINAL

    def end(self) -> Iterator[str]:
        """Let storage answer, and end every pod of this stage that has not ended; a line for each."""
        self.release()
        for name in self.tasks:
            if self._lives(name):
                self.scheduler.kill(name, grace_s=0)
                status = self.scheduler.wait_status(name, messages.TERMINAL, _RUNNING_S)
                yield f"{name}: {status.state}"
        self.tasks.clear()

    def running(self, kind: str, **keys: Any) -> str:
        """As `launch`, when it runs."""
        name = self.launch(kind, **keys)
        self.scheduler.wait_status(name, "TASK_RUNNING", _RUNNING_S)
        return name

    def reached(self, name: str, *states: str) -> str:
        """The task, once it has one of these states."""
        self.scheduler.wait_status(name, states, _RUNNING_S)
        return name

    def shown(self, name: str, code: str) -> str:
        """The task, once the journal has an event of this code or area about it. Raises UnexpectedError."""

        def look() -> bool | None:
            done = self.rig.command("events", "--pod", name, "--code", code, check=False)
            return f" {code}" in done.stdout or None

        if not wait_for(look, _RUNNING_S):
            raise UnexpectedError(f"{name} has no event {code}")
        return name

    def hung_storage(self) -> HungFs:
        """Mounted until `release`."""
        return self._storage.enter_context(HungFs(STORAGE))

    def processes(self, name: str) -> list[str]:
        """The names of a pod's processes."""
        (pod,) = self.rig.json("ps", "-f", f"name={name}")["pods"]
        return [psutil.Process(pid).name() for pid, _ in self.rig.processes(pod)]


def _amounts(resources: Iterable[dict[str, Any]]) -> str:
    """The sums of the scalars, and the ranges, as a text."""
    sums: Counter[str] = Counter()
    ranges: list[str] = []
    for resource in resources:
        if "scalar" in resource:
            sums[resource["name"] + (" (revocable)" if "revocable" in resource else "")] += resource["scalar"]["value"]
        spans = resource.get("ranges", {}).get("range", ())
        ranges += [f"{resource['name']} {span['begin']}-{span['end']}" for span in spans]
    return ", ".join([f"{name} {amount:g}" for name, amount in sorted(sums.items())] + ranges)


def _unallocated(resource: dict[str, Any]) -> dict[str, Any]:
    """Without a role: the scheduler takes them out of its offers."""
    return {key: value for key, value in resource.items() if key != "allocation_info"}


def _preempted(stage: Stage) -> str:
    name = stage.running("preempted", revocable=True)
    stage.rig.command("revoke", "--task", name, "--reason", "spark needs its cores", "--grace", "1s")
    return stage.reached(name, "TASK_GONE")


def _killed(stage: Stage) -> str:
    name = stage.running("killed")
    stage.scheduler.kill(name, grace_s=1)
    return stage.reached(name, "TASK_KILLED")


def _out_of_memory(stage: Stage) -> str:
    limit = {"resources": {"limits": {"memory": "24Mi"}, "requests": {"memory": "24Mi"}}}
    return stage.reached(stage.launch("eats", command=_EATS, container=limit), "TASK_FAILED")


def _crash_loop(stage: Stage) -> str:
    name = stage.launch("crashes", command=_CRASHES, spec={"restartPolicy": "Always"})
    return stage.shown(name, "pod.restarting")


def _image_missing(stage: Stage) -> str:
    return stage.shown(stage.launch("imageless", container={"image": MISSING}), "image.pull_failed")


def _disk(stage: Stage) -> str:
    return stage.reached(stage.launch("writes", disk_mib=8, command=_WRITES), "TASK_FAILED")


def _network(stage: Stage) -> str:
    name = stage.running("cut")
    netns = stage.rig.json("inspect", name)["netns"]
    subprocess.run(["nsenter", f"--net={netns}", "ip", "link", "set", "eth0", "down"], check=True)
    return stage.shown(name, "network")  # changed, or not as it was made where the look came late


def _refused(stage: Stage) -> str:
    return stage.reached(stage.launch("refused", spec={"hostPID": "x"}), "TASK_FAILED")


def _stuck(stage: Stage) -> str:
    storage = stage.hung_storage()
    spec = {"volumes": [{"name": "v", "hostPath": {"path": str(storage.directory), "type": "Directory"}}]}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    name = stage.running("stuck", command=("sh", "-c", "cat /data/file"), spec=spec, container=mounts)
    wait_for(lambda: "cat" in stage.processes(name) or None, 20)
    stage.scheduler.kill(name, grace_s=0)
    return stage.shown(name, "pod.stuck")


def _dead_executor(stage: Stage) -> str:
    """It takes every pod along; at once, because no storage holds one of them."""
    stage.release()
    name = stage.running("keeps")
    (owner,) = stage.rig.run_dir.glob("*.owner")
    os.kill(int(json.loads(owner.read_text())["pid"]), signal.SIGKILL)
    return stage.reached(name, "TASK_FAILED", "TASK_LOST", "TASK_GONE")


@dataclass(frozen=True)
class Incident:
    """`begin` returns the task that it is about, when the node shows it. `asks` are the runbook's first commands;
    TASK stands for the task.
    """

    what: str
    begin: Callable[[Stage], str]
    asks: Sequence[str] = ("why TASK",)


INCIDENTS: Final[Mapping[str, Incident]] = MappingProxyType(
    {
        "preempted": Incident("a revocable pod is taken back", _preempted, ("why TASK", "report -o revocation.html")),
        "killed": Incident("its scheduler kills a pod", _killed),
        "out-of-memory": Incident("a pod meets its memory limit", _out_of_memory),
        "crash-loop": Incident(
            "a container ends again and again",
            _crash_loop,
            ("ps -f status=backing-off", "why TASK", "logs TASK --previous"),
        ),
        "image-missing": Incident("a pod needs an image that no registry has", _image_missing, ("ps -a", "why TASK")),
        "disk": Incident("a pod writes more than its disk", _disk, ("why TASK", "inspect TASK")),
        "network": Incident("something sets a pod's link down", _network, ("why TASK", "inspect TASK")),
        "stuck": Incident(
            "the processes of a killed pod wait for storage", _stuck, ("ps -f status=stuck", "why TASK", "doctor")
        ),
        "refused": Incident("a launch has a field that the executor refuses", _refused),
        "dead-executor": Incident(
            "the executor is killed, with all of its pods", _dead_executor, ("ps -a", "why TASK", "logs TASK")
        ),
    }
)
