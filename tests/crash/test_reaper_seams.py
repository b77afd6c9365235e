"""A gc that is killed at every step of its own: the next one, or another executor of the node, releases the rest.

tests/run crash -- tests/crash/test_reaper_seams.py --seams=all     # before and after each step, not only after it
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import replace

import psutil
import pytest

from tests.crash import dying_executor, seams
from tests.crash.launching import MOUNTED, owner_files, since
from tests.crash.remains import remains
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import regular
from tests.support.rig import OPTIONS, PROGRAM, PROGRAM_ENVIRONMENT, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PROGRAM_DYING = (PROGRAM[0], "-m", "tests.crash.dying_executor")
REAPER_DYING = (PROGRAM[0], "-m", "tests.crash.dying_reaper")
EXECUTORS = 4
AMID = "Leases.create after 1"
"""Where an executor dies that is amid a launch: its lease is left."""
BESIDE_S = 20.0
UNMET = {
    "containers._abandoned": "a runc that was killed",
    "runtime_state.remove_abandoned": "the same",
    "shims._remove_sockets": "a shim that hangs",
}
"""Steps that what these executors leave does not need, and what does."""
BESIDE = ("Tasks.remove after", "Cni.detach after", "claims.forget_files after")


@pytest.fixture(scope="module")
def posix() -> Iterator[Rig]:
    """Its agent leaves everything to the reaper."""
    with Rig(replace(OPTIONS, launcher="posix"), program=PROGRAM_DYING) as node:
        yield node


@pytest.fixture(scope="module")
def linux() -> Iterator[Rig]:
    with Rig(program=PROGRAM_DYING) as node:
        yield node


def dead(rig: Rig, scheduler: Scheduler, prefix: str, running: int, amid: str = "") -> list[str]:
    """Executors without a watcher that were killed while a pod of each class ran, and one that died at the seam `amid`:
    their Mesos container ids. None of them reaps another one, for they hang before.
    """
    before = owner_files(rig)
    tasks: list[str] = []

    def launch(number: int, death: str) -> list[str]:
        names = [f"{prefix}-{number}{kind}" for kind in "ab"]
        environment = {**PROGRAM_ENVIRONMENT, dying_executor.UNWATCHED: "1", dying_executor.AT: death}
        pods = [rig.pod(name, revocable=name[-1] == "b", **MOUNTED, cpus=0.05, mem=16) for name in names]
        scheduler.launch(pods, rig.executor(f"{prefix}-{number}", environment=environment), timeout_s=30)
        tasks.extend(names)
        return names

    for name in [name for number in range(running) for name in launch(number, "")]:
        scheduler.wait_status(name, "TASK_RUNNING", 60)
    running_ones = owner_files(rig) - before
    hanging = [psutil.Process(json.loads(path.read_text())["pid"]) for path in running_ones]
    for process in hanging:
        process.suspend()
    for name in launch(running, amid) if amid else ():
        scheduler.wait_status(name, TERMINAL, 90)
    for process in hanging:
        process.kill()
    for name in tasks:
        scheduler.wait_status(name, TERMINAL, 90)
    return [path.stem for path in (*running_ones, *(owner_files(rig) - before - running_ones))]


def gc(rig: Rig, moments: Collection[str], *words: str) -> list[str]:
    """Runs of gc: the moments at which they were killed, in their order."""
    environment = {**os.environ, **rig.environment(), dying_executor.AT: json.dumps([*moments])}
    done = subprocess.run(
        [*REAPER_DYING, *words],
        env=environment,
        cwd=rig.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def wanted(option: str) -> set[str]:
    """Every moment of the reaper's steps, or those after them."""
    moments = seams.MOMENTS if option == "all" else ("after",)
    steps = [step.seam for step in seams.reaper_steps() if step.seam not in UNMET]
    return {f"{seam} {moment}" for seam in steps for moment in moments}


def test_a_gc_that_is_killed_at_every_step(posix: Rig, scheduler: Scheduler, request: pytest.FixtureRequest) -> None:
    """Each run goes on where the one before it was killed, and the last one has nothing to complain about. What one
    dead executor left is used up before every step had something to do, so there are several.
    """
    rig, moments = posix, wanted(request.config.getoption("--seams"))
    there = remains(rig)
    containers = dead(rig, scheduler, "dead", EXECUTORS, AMID)
    begun_s, killed = time.monotonic(), list[str]()
    for container in reversed(containers):
        killed += gc(rig, moments - set(killed), "--only", container)
    last = rig.command("gc", "--json", check=False)
    assert last.returncode == 0, f"{last.stdout}{last.stderr}"
    assert since(remains(rig), there) == {}, killed
    assert (left := moments - set(killed)) == set(), f"{sorted(left)} are not met"
    print(f"\n{len(killed)} kills of gc in {time.monotonic() - begun_s:.0f} s")


def test_another_executor_releases_what_a_killed_gc_left(linux: Rig, scheduler: Scheduler) -> None:
    """It lives on the node already, as the other half of a pair, and hangs until gc was killed."""
    rig = linux
    scheduler.launch([rig.pod("stay"), rig.pod("stay-b", revocable=True)], rig.executor("survivor"))
    for task in ("stay", "stay-b"):
        scheduler.wait_status(task, "TASK_RUNNING", 60)
    there, before = remains(rig), regular(rig)
    (owner,) = rig.run_dir.glob("*.owner")
    survivor = psutil.Process(json.loads(owner.read_text())["pid"])
    survivor.suspend()
    try:
        identities = dead(rig, scheduler, "left", len(BESIDE))
        killed = [gc(rig, [at], "--only", each) for at, each in zip(BESIDE, identities, strict=True)]
    finally:
        survivor.resume()
    assert killed == [[at] for at in BESIDE]
    begun_s = time.monotonic()
    wait_for(lambda: True if not since(remains(rig), there) else None, BESIDE_S)
    assert since(remains(rig), there) == {}
    print(f"\nthe other executor had released the rest after {time.monotonic() - begun_s:.1f} s")
    assert regular(rig) == before and len(rig.pods()) == 2
