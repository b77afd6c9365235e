"""A node whose lender runs: an owner with a reservation, borrowers, and what the tests ask of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.mesos import messages
from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import OPTIONS, Rig, wait_for

OWNER, BORROWER = "spark", "batch"
OPTIONS_RESERVED = replace(
    OPTIONS,
    estimator=False,
    resources=f"cpus({OWNER}):4;mem({OWNER}):2048;cpus({BORROWER}):8;mem({BORROWER}):8192;disk:4096;ports:[31000-32000]",
)
PLAIN = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")
"""What a framework can that wants nothing revocable, such as Spark's."""
BORROWS = (*PLAIN, "REVOCABLE_RESOURCES", "TASK_KILLING_STATE")
GROW_S = 1.0


class Lender:
    """The lender of the rig's node while in its `with` block. `kill` and `start` are what systemd would see."""

    def __init__(self, rig: Rig, **keys: str) -> None:
        self.rig = rig
        self.environment = {**os.environ, **rig.program_environment}
        self.keys = {
            "LENDING_OWNERS": OWNER,
            "LENDING_AGENT": rig.agent.endpoint,
            "LENDING_MASTERS": rig.cluster.endpoint,
            "LENDING_GROW_AFTER_S": str(GROW_S),
            "LENDING_INTERVAL_S": "0.5",
            "LENDING_AGENT_CGROUP": rig.agent.cgroups_root,
            **keys,
        }
        self.log_path = rig.directory / "lender.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Once the agent has no task of an earlier test."""
        assert wait_for(lambda: None if self._tasks() else True, 15.0), self._tasks()
        self.start()
        return self

    def _tasks(self) -> list[dict[str, Any]]:
        found = self.rig.agent.operator.tasks()
        return [each for kind in ("pending_tasks", "queued_tasks", "launched_tasks") for each in found.get(kind, [])]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if isinstance(error, Exception):  # nobody wonders about an interrupt
            print(f"--- lender\n{self.log_path.read_text()[-6000:]}")
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)
        self.log_path.unlink()

    @property
    def directory(self) -> Path:
        """What it keeps."""
        return self.rig.directory / "state/lending"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        line = [*self.rig.program, "--config", str(self.rig.write_config(**self.keys)), "lend"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(line, env=self.environment, stdout=log, stderr=log)

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(number)
        code = self._process.wait(timeout_s)
        self._process = None
        return code

    def lines(self, code: str) -> list[dict[str, Any]]:
        """What it has logged of this code."""
        lines = [json.loads(line) for line in self.log_path.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("code") == code]

    def freed_s(self) -> list[float]:
        """When the returns on demand were over, seconds since the epoch."""
        return [datetime.fromisoformat(line["time"]).timestamp() for line in self.lines("lending.freed")]

    def status(self) -> dict[str, Any]:
        """What it shows of itself now; empty without a lender."""
        try:
            document: dict[str, Any] = json.loads((self.rig.run_dir / "lending.json").read_bytes())
        except FileNotFoundError:
            return {}
        return document

    def wait(self, condition: Callable[[Mapping[str, Any]], object], timeout_s: float = 15.0) -> dict[str, Any]:
        """Its status once that is so."""
        found = wait_for(lambda: now if (now := self.status()) and condition(now) else None, timeout_s, 0.02)
        assert found is not None, f"not so: {self.status()}\n{self.log_path.read_text()[-6000:]}"
        return found

    def wait_offer(self, cpus: float, timeout_s: float = 15.0) -> dict[str, Any]:
        return self.wait(lambda now: now["subscribed"] and now["offer"]["cpus"] == cpus, timeout_s)


def borrower(rig: Rig, name: str = "borrower", role: str = BORROWER) -> Scheduler:
    return rig.scheduler(name=name, roles=(role,), capabilities=BORROWS)


def owner(rig: Rig) -> Scheduler:
    return rig.scheduler(name="owner", roles=(OWNER,), capabilities=PLAIN)


def borrow(
    rig: Rig, scheduler: Scheduler, names: list[str], cpus: float = 1.0, *, executor: str = "borrowed", **pod: Any
) -> None:
    """Revocable pods of an executor of their own: the pair, without which a lost lender can cost regular pods."""
    wait_revocable(scheduler, cpus * len(names))
    pods = [rig.pod(name, revocable=True, cpus=cpus, **pod) for name in names]
    scheduler.launch(pods, rig.executor(executor))
    for name in names:
        scheduler.wait_status(name, "TASK_RUNNING", 30)


def wait_revocable(scheduler: Scheduler, cpus: float, timeout_s: float = 15.0) -> None:
    """Until at least so many revocable cpus are offered."""
    scheduler.wait_offers(lambda offers: revocable(offers) >= cpus - 1e-6, timeout_s)


def revocable(offers: list[dict[str, Any]]) -> float:
    """The revocable cpus of these offers."""
    resources = [each for offer in offers for each in offer["resources"]]
    return float(sum(each["scalar"]["value"] for each in resources if each["name"] == "cpus" and "revocable" in each))


def demand(scheduler: Scheduler, name: str, cpus: float, first: Path, *, mem: float = 64) -> float:
    """A task of the owner that writes the time of its first instruction into `first`; the time of its launch."""
    command = messages.command(f"date +%s.%N > {first}.new; mv {first}.new {first}; exec sleep 1000")
    task = messages.task_info(name, [messages.scalar("cpus", cpus), messages.scalar("mem", mem)], command=command)
    wanted = cpus
    scheduler.wait_offers(lambda offers: reserved(offers) >= wanted - 1e-6, 15.0)
    begin_s = time.time()
    scheduler.launch([task])
    return begin_s


def reserved(offers: list[dict[str, Any]]) -> float:
    """The cpus of reservations in these offers."""
    resources = [each for offer in offers for each in offer["resources"]]
    return float(
        sum(each["scalar"]["value"] for each in resources if each["name"] == "cpus" and "reservations" in each)
    )


def first_instruction(path: Path, timeout_s: float = 20.0) -> float:
    """When it was, seconds since the epoch."""
    text = wait_for(lambda: path.read_text() if path.exists() else None, timeout_s, 0.01)
    assert text, f"the owner's task never wrote {path}"
    return float(text)
