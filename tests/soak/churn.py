"""What one framework does all day, by a seed: pods of every kind come, run, fail and go, and their peers fail too."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.faults import Faults, Plan
from tests.support.faults_cni import KINDS as CNI_KINDS
from tests.support.faults_containerd import KINDS as CONTAINERD_KINDS
from tests.support.mesos import messages
from tests.support.mesos.http import CallError
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler, UnexpectedError
from tests.support.rig import IMAGE, SLEEP, Rig

EXECUTOR = "soak"
ANCHOR = "anchor"
"""The one pod that stays, so that the executor does."""
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": "0"}}
CONTAINERD_RATE, CNI_RATE = 0.002, 0.01
"""The parts of all calls that get a fault while faults are on."""
QUIET_S = 90.0

Document = dict[str, Any]


class Churn:
    """`alive` pods at a time. `images` are names in a registry; `faults` are those of containerd and of CNI plugins."""

    def __init__(
        self,
        rig: Rig,
        scheduler: Scheduler,
        executor: Document,
        *,
        images: tuple[str, ...],
        faults: tuple[Faults, Faults],
        alive: int = 16,
        seed: int = 1,
    ) -> None:
        self._rig, self._scheduler, self._executor = rig, scheduler, executor
        self.images, self._faults, self._alive = images, faults, alive
        self.chance = random.Random(seed)
        self._agent = ""
        self._number = 0
        self._kinds: dict[str, str] = {}
        self._open: set[str] = set()
        self._seen = 0
        self._launched: set[str] = set()
        self.did = Counter[str]()
        """How often each thing was done."""

    def begin(self) -> None:
        """The pod that stays, whatever shim is killed, and one of each class, so that their groups are there."""
        self._agent = self._launch("anchor", self._rig.pod(ANCHOR, spec={"restartPolicy": "Always"}))
        for task in (self._rig.pod("first-regular"), self._rig.pod("first-revocable", revocable=True)):
            self._launch("first", task)
        for name in self._kinds:
            self._scheduler.wait_status(name, "TASK_RUNNING", 60)

    def step(self) -> None:
        """One thing more. What the agent does not take while it restarts is left out."""
        weights = dict(ACTIONS)
        if len(self.open_tasks()) < self._alive:
            weights[Churn.launch] = 30
        actions, chances = zip(*weights.items(), strict=True)
        action = self.chance.choices(actions, chances)[0]
        try:
            action(self)
        except (CallError, OSError, UnexpectedError) as error:
            self.did[f"not taken: {type(error).__name__}"] += 1

    def open_tasks(self) -> list[str]:
        """Tasks without a terminal status, but for the anchor."""
        seen, self._seen = self._seen, self._scheduler.mark()
        for status in self._scheduler.statuses(start=seen):
            if status.state in TERMINAL:
                self._open.discard(status.task_id)
        return sorted(self._open - {ANCHOR})

    def launched(self) -> list[str]:
        """Every task that the master took."""
        return sorted(self._launched)

    def quiet(self) -> list[str]:
        """End everything but the anchor, without faults; the tasks that have not ended in time."""
        for faults in self._faults:
            faults.set(None)
        deadline_s = time.monotonic() + QUIET_S
        while (left := self.open_tasks()) and time.monotonic() < deadline_s:
            for task in left:
                with contextlib.suppress(CallError, OSError):
                    self._scheduler.kill(task, grace_s=0.0)
            time.sleep(2.0)
        return left

    def go_on(self) -> None:
        """With faults again, of another seed each time."""
        seed = self.chance.randrange(1 << 30)
        containerd, cni = self._faults
        containerd.set(Plan(seed, CONTAINERD_RATE, CONTAINERD_KINDS, longest_s=2.0))
        cni.set(Plan(seed, CNI_RATE, CNI_KINDS, longest_s=2.0))

    # --- what frameworks do ----------------------------------------------------------------------------------

    def port(self) -> int:
        """One of the agent's; the next pods have others, so that each one is free again by its second turn."""
        return 31000 + self._number % 1000

    def _launch(self, kind: str, task: Document) -> str:
        self._kinds[task["name"]] = kind
        self._open.add(task["name"])
        try:
            agent = self._scheduler.launch([task], self._executor, timeout_s=30)
        except (CallError, OSError, UnexpectedError):
            self._open.discard(task["name"])
            raise
        self._launched.add(task["name"])
        self.did[f"launch: {kind}"] += 1
        return agent

    def launch(self) -> None:
        kinds = _KINDS
        kind = self.chance.choices(list(kinds), [weight for weight, _ in kinds.values()])[0]
        self._number += 1
        fields = kinds[kind][1](self)
        objects, port = fields.pop("objects", []), fields.pop("port", None)
        task = self._rig.pod(f"{kind}-{self._number}", cpus=0.05, mem=16, **fields)
        if port is not None:
            task["resources"].append(messages.ranges("ports", (port, port)))
        if objects:
            items = [json.loads(base64.b64decode(task["data"])), *objects]
            task["data"] = base64.b64encode(json.dumps({"kind": "List", "items": items}).encode()).decode()
        self._launch(kind, task)

    def _some(self, *kinds: str) -> str | None:
        """A task of one of these kinds that has not ended; of any kind without them."""
        found = [task for task in self.open_tasks() if not kinds or self._kinds[task] in kinds]
        return self.chance.choice(found) if found else None

    def kill(self) -> None:
        if task := self._some():
            self._scheduler.kill(task, grace_s=self.chance.choice((0.0, 0.5, 2.0)))
            self.did["kill"] += 1

    def revoke(self) -> None:
        select: Document = {"all": True}
        if self.chance.random() < 0.8 and (task := self._some("revocable")):
            select = {"tasks": [task]}
        grace = self.chance.choice(("0s", "300ms", "1s"))
        self._message({"revoke": {"id": f"r-{self.chance.randrange(1 << 40)}", "select": select, "grace": grace}})
        self.did["revoke"] += 1

    def update(self) -> None:
        if task := self._some("mounts"):
            config = CONFIG | {"data": {"key": str(self.chance.random())}}
            self._message({"update": {"id": f"u-{self._number}", "task": task, "objects": [config]}})
            self.did["update of a ConfigMap"] += 1

    def _message(self, document: Document) -> None:
        self._scheduler.message(self._agent, EXECUTOR, json.dumps(document).encode())

    def run_command(self) -> None:
        if task := self._some("regular", "revocable"):
            done = self._rig.command("exec", task, "--", "true", check=False)
            self.did["exec" if done.returncode == 0 else "exec, refused"] += 1

    # --- faults ----------------------------------------------------------------------------------------------

    def kill_shim(self) -> None:
        if shims := self._rig.containerd.shims():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(shims), signal.SIGKILL)
            self.did["fault: shim killed"] += 1

    def restart_containerd(self) -> None:
        self._rig.containerd.kill()
        time.sleep(self.chance.choice((0.0, 1.0)))
        self._rig.containerd.start()
        self.did["fault: containerd restarted"] += 1

    def restart_agent(self) -> None:
        self._rig.agent.restart(down_s=self.chance.choice((0.0, 1.0)))
        self.did["fault: agent restarted"] += 1


ACTIONS: tuple[tuple[Callable[[Churn], None], float], ...] = (
    (Churn.kill, 8),
    (Churn.revoke, 2),
    (Churn.update, 2),
    (Churn.run_command, 1),
    (Churn.kill_shim, 0.3),
    (Churn.restart_containerd, 0.12),
    (Churn.restart_agent, 0.08),
)


def _command(text: str) -> Document:
    return {"command": ["sh", "-c", text]}


def _failing_probe(_: Churn) -> Document:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 2}
    return {"spec": {"restartPolicy": "Always"}, "container": {"livenessProbe": probe}}


def _probed(_: Churn) -> Document:
    probe = {"tcpSocket": {"port": 80}, "periodSeconds": 1}
    serve = _command("trap 'exit 0' TERM; nc -ll -p 80 -e true & sleep 1000 & wait")
    return {**serve, "container": {"readinessProbe": probe}}


def _mounts(_: Churn) -> Document:
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
    ]
    mounts = [{"name": "settings", "mountPath": "/settings"}, {"name": "memory", "mountPath": "/memory"}]
    init = {"name": "init", "image": IMAGE, "command": ["true"]}
    return {
        "spec": {"volumes": volumes, "initContainers": [init]},
        "container": {"volumeMounts": mounts},
        "objects": [CONFIG],
    }


def _host_port(churn: Churn) -> Document:
    port = churn.port()
    return {"command": SLEEP, "port": port, "container": {"ports": [{"containerPort": 80, "hostPort": port}]}}


def _pull(churn: Churn) -> Document:
    image = churn.chance.choice(churn.images)
    return {**_command("echo pulled; sleep 1"), "container": {"image": image, "imagePullPolicy": "Always"}}


_KINDS: dict[str, tuple[float, Callable[[Churn], Document]]] = {
    "regular": (5, lambda _: {"command": SLEEP}),
    "revocable": (6, lambda _: {"command": SLEEP, "revocable": True}),
    "job": (4, lambda churn: _command(f"seq 200; sleep {churn.chance.choice((0, 1, 3))}")),
    "failing": (2, lambda _: _command("echo no >&2; exit 3")),
    "crashing": (1, lambda _: {**_command("sleep 0.2; exit 1"), "spec": {"restartPolicy": "Always"}}),
    "failing-probe": (1, _failing_probe),
    "probed": (1, _probed),
    "mounts": (2, _mounts),
    "host-port": (2, _host_port),
    "pull": (2, _pull),
    "stubborn": (1, lambda _: {**_command("trap '' TERM; sleep 1000 & wait; wait"), "revocable": True}),
    "refused": (0.5, lambda _: {"spec": {"noSuchField": True}}),
}
"""Kinds of pods, how often each of them comes, and its fields."""
