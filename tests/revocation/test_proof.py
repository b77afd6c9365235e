"""Somebody has put what is regular into the reach of a revocation: nothing is killed, and it is said what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from cgroups import Cgroup, Hierarchies, Membership
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import events, run
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HIERARCHIES = Hierarchies.discover()
KILLS = HIERARCHIES.unified or HIERARCHIES.v1["freezer"]
"""Where the hierarchy is mounted in which revocations kill."""
KIND = "0::" if HIERARCHIES.unified else ":freezer:"
Pods = dict[str, dict[str, Any]]


@contextmanager
def moved_process(pods: Pods, pid: str = "") -> Iterator[str]:
    """The regular pod's first process, in the revocable one's cgroup, in the hierarchy in which revocations kill."""
    pid = pid or str(pods["web"]["containers"][0]["pid"])
    (line,) = [each for each in Path(f"/proc/{pid}/cgroup").read_text().splitlines() if KIND in each]
    home = KILLS / line.partition(f"{KIND}/")[2]
    (KILLS / pods["batch"]["cgroup"].lstrip("/") / "cgroup.procs").write_text(pid)
    yield f"its process {pid}"
    (home / "cgroup.procs").write_text(pid)


@contextmanager
def moved_child(pods: Pods) -> Iterator[str]:
    """The same with another process of the regular pod."""
    (child,) = psutil.Process(pods["web"]["containers"][0]["pid"]).children()
    with moved_process(pods, str(child.pid)) as words:
        yield words


@contextmanager
def misplaced_group(pods: Pods) -> Iterator[str]:
    """A group of the regular pod's name among the revocable ones."""
    group = KILLS / pods["batch"]["cgroup"].lstrip("/")
    stray = group.with_name(pods["web"]["pod"])
    stray.mkdir()
    yield "its cgroup lies in the revocable subtree"
    stray.rmdir()


@pytest.mark.parametrize("fault", [moved_process, moved_child, misplaced_group])
def test_nothing_is_killed_while_something_regular_is_in_reach(rig: Rig, scheduler: Scheduler, fault: Any) -> None:
    run(rig, scheduler, rig.pod("web"), rig.pod("batch", revocable=True))
    pods = {pod["name"]: pod for pod in rig.pods()}
    before = {name: rig.processes(pod) for name, pod in pods.items()}
    with fault(pods) as words:
        for options in (["--all"], ["--task", "batch", "--grace", "5s"]):
            done = rig.command("revoke", *options, check=False)
            assert done.returncode == 4 and pods["web"]["pod"] in done.stderr and words in done.stderr
    assert {name: rig.processes(pod) for name, pod in pods.items()} == before
    assert len(events(rig, "revocation.refused")) == 2 and events(rig, "revocation.step") == []
    assert rig.json("revoke", "--all")["state"] == "done"
    assert rig.processes(pods["web"]) == before["web"]


ORPHAN = ("sh", "-c", "(sleep 1001 &); sleep 1000")


@pytest.mark.parametrize("spec", [{}, {"shareProcessNamespace": True}, {"hostPID": True}], ids="".join)
def test_a_regular_process_is_known_in_whichever_groups_it_is(rig: Rig, scheduler: Scheduler, spec: Any) -> None:
    """No hierarchy says any more whose it is, nor does its parent, which ended."""
    run(
        rig,
        scheduler,
        rig.pod("web", command=ORPHAN, spec=spec),
        rig.pod("batch", command=ORPHAN, spec=spec, revocable=True),
    )
    pods = {pod["name"]: pod for pod in rig.pods()}
    before = rig.processes(pods["web"])
    (orphan,) = [pid for pid, _ in before if "1001" in psutil.Process(pid).cmdline()]
    home = Membership.of(orphan)
    Cgroup(Hierarchies.discover(), pods["batch"]["cgroup"]).attach(orphan)
    for command in (["revoke", "--all"], ["rehearse", "--all"]):
        done = rig.command(*command, check=False)
        assert done.returncode == 4
        assert pods["web"]["pod"] in done.stderr and f"its process {orphan} is in" in done.stderr
    assert rig.processes(pods["web"]) == [each for each in before if each[0] != orphan]
    assert psutil.Process(orphan).is_running() and events(rig, "revocation.step") == []
    home.rejoin(Hierarchies.discover())
    assert rig.json("revoke", "--all")["state"] == "done"
    assert rig.processes(pods["web"]) == before
