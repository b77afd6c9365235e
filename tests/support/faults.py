"""Faults by a seed, for the peers of an executor: which call of which name gets one, and of which kind. Pure but for
the counters and the record of what was injected, which are files that several processes share.

    faults = Faults(directory); faults.set(Plan(seed=7, rate=0.1, kinds=("fail", "cut")))

faults_containerd.py, faults_cni.py and faults_agent.py inject them. The n-th call of a name since a
plan was set gets the same fault in every run with the same plan; which call is the n-th depends on the machine.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fault:
    """`seconds` is how long a fault that takes time takes."""

    kind: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """`rate` is the part of all calls that get a fault, `longest_s` the longest time of one. `only`: the names that
    are meant, by a part of each; none: all.
    """

    seed: int
    rate: float
    kinds: tuple[str, ...]
    longest_s: float = 1.0
    only: tuple[str, ...] = ()

    def fault(self, name: str, number: int) -> Fault | None:
        """That of the call `number` of this name."""
        if self.only and not any(part in name for part in self.only):
            return None
        chance = random.Random(f"{self.seed}/{name}/{number}")
        if chance.random() >= self.rate:
            return None
        return Fault(chance.choice(self.kinds), round(chance.uniform(0.0, self.longest_s), 3))


class Faults:
    """The plan in force, which any process may change at any time, and what was injected."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._plan, self._log, self._counts = (directory / name for name in ("plan.json", "faults.jsonl", "counts"))

    def set(self, plan: Plan | None) -> None:
        """From now on; None: no faults."""
        self.directory.mkdir(parents=True, exist_ok=True)
        scratch = self._plan.with_suffix(".new")
        scratch.write_text(json.dumps(None if plan is None else asdict(plan)))
        scratch.rename(self._plan)
        shutil.rmtree(self._counts, ignore_errors=True)

    def next(self, name: str) -> Fault | None:
        """That of the next call of this name."""
        try:
            document = json.loads(self._plan.read_text())
        except FileNotFoundError:
            return None
        if document is None:
            return None
        document |= {"kinds": tuple(document["kinds"]), "only": tuple(document["only"])}
        number = self._count(name)
        fault = Plan(**document).fault(name, number)
        if fault is not None:
            self._note({"name": name, "number": number, **asdict(fault)})
        return fault

    def injected(self) -> list[dict[str, Any]]:
        """All faults so far: name, number, kind, seconds."""
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    def _count(self, name: str) -> int:
        self._counts.mkdir(exist_ok=True)
        file = os.open(self._counts / name.strip("/").replace("/", "-"), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            number = int(os.read(file, 20) or b"0")
            os.pwrite(file, str(number + 1).encode(), 0)
        finally:
            os.close(file)
        return number

    def _note(self, line: dict[str, Any]) -> None:
        with self._log.open("a") as log:
            log.write(json.dumps(line) + "\n")
