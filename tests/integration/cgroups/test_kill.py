"""Everything in a group dies, whatever it does against it, and whichever hierarchies hold it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cgroups.errors import CgroupError
from cgroups.group import Cgroup
from cgroups.kill import KillMethod
from cgroups.limits import Limits
from cgroups.mounts import Hierarchies, Mode
from tests.integration.cgroups.conftest import Spawn, eventually

DAEMON = (
    "import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0:\n  print('up',flush=True); time.sleep(1000)\n"
)
STUBBORN = (
    "import signal,time\n"
    "for n in range(1,32):\n"
    " n in (9,19) or signal.signal(n, signal.SIG_IGN)\n"
    "print('up',flush=True); time.sleep(1000)"
)
BOMB = (
    "import os,time\n"
    "print('up',flush=True)\n"
    "end=time.time()+60\n"
    "while time.time()<end:\n"
    " try: os.fork()\n"
    " except OSError: pass\n"
)


def views(hierarchies: Hierarchies) -> dict[str, Hierarchies]:
    """The machine's hierarchies, and what is left of them on a v1 host and on one without freezer."""
    v1 = dict(hierarchies.v1)
    without_freezer = {name: point for name, point in v1.items() if name != "freezer"}
    return {"all": hierarchies, "v1": Hierarchies(v1), "v1 without freezer": Hierarchies(without_freezer)}


METHODS = {
    "all": KillMethod.KILL_FILE,
    "v1": KillMethod.FREEZER,
    "v1 without freezer": KillMethod.SIGNALS,
}


@pytest.fixture(params=list(METHODS))
def view(request: pytest.FixtureRequest, group: Cgroup, hierarchies: Hierarchies) -> tuple[Cgroup, KillMethod]:
    if hierarchies.mode is not Mode.HYBRID:
        pytest.skip("needs v1 hierarchies and a cgroup2 beside them")
    return Cgroup(views(hierarchies)[request.param], group.path), METHODS[request.param]


async def test_a_process_that_ignores_signals(view: tuple[Cgroup, KillMethod], python: Spawn) -> None:
    group, method = view
    process = python(STUBBORN, into=group.attach)
    process.send_signal(signal.SIGTERM)
    result = group.kill()
    assert result.method is method
    assert result.missed == ()
    assert await group.wait_unpopulated(5)
    assert process.wait(5) == -signal.SIGKILL


async def test_a_daemon_that_forked_twice(view: tuple[Cgroup, KillMethod], python: Spawn) -> None:
    group, method = view
    child = group.child("deep")
    child.ensure()
    process = python(DAEMON, into=child.attach)
    process.wait(5)
    await eventually(lambda: len(group.pids()) == 1)
    (daemon,) = group.pids()
    assert daemon != process.pid
    assert group.kill().method is method
    assert await group.wait_unpopulated(5)
    assert not alive(daemon)


async def test_a_fork_bomb(view: tuple[Cgroup, KillMethod], python: Spawn) -> None:
    group, method = view
    assert "pids.max" not in group.apply(Limits(pids_max=60))
    python(BOMB, into=group.attach)
    await eventually(lambda: len(group.pids()) >= 50)
    result = group.kill(10)
    assert (result.method, result.missed) == (method, ())
    assert await group.wait_unpopulated(10)
    assert group.pids() == set()
    group.destroy()


async def test_two_hundred_processes_in_many_groups(view: tuple[Cgroup, KillMethod], spawn: Spawn) -> None:
    group, _ = view
    for number in range(10):
        child = group.child(f"pod-{number}")
        child.ensure()
        spawn("/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do sleep 1000 & done; wait",
              into=child.attach)  # fmt: skip
    await eventually(lambda: len(group.pids()) == 200)
    assert group.kill().missed == ()
    assert await group.wait_unpopulated(5)


@pytest.mark.parametrize("where", ["the group", "a group below"])
async def test_what_the_v1_freezer_holds(where: str, group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if hierarchies.mode is not Mode.HYBRID:
        pytest.skip("needs the v1 freezer and cgroup2")
    leaf = group.child("leaf")
    leaf.ensure()
    process = python(STUBBORN, into=leaf.attach)
    frozen = Cgroup(Hierarchies(hierarchies.v1), (group if where == "the group" else leaf).path)
    assert frozen.freeze()
    assert frozen.is_frozen()
    result = group.kill()
    assert (result.method, result.thawed, result.held_frozen) == (KillMethod.KILL_FILE, 1, False)
    assert await group.wait_unpopulated(5)
    assert process.wait(5) == -signal.SIGKILL


async def test_frozen_by_a_group_above_is_reported(group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if hierarchies.mode is not Mode.HYBRID:
        pytest.skip("needs the v1 freezer and cgroup2")
    leaf = group.child("leaf")
    leaf.ensure()
    python(STUBBORN, into=leaf.attach)
    above = Cgroup(Hierarchies(hierarchies.v1), group.path)
    assert above.freeze()
    assert leaf.kill().held_frozen
    assert not await leaf.wait_unpopulated(0.2)
    above.thaw()
    assert await leaf.wait_unpopulated(5)


async def test_what_cgroup_freeze_holds(group: Cgroup, python: Spawn) -> None:
    process = python(STUBBORN, into=group.attach)
    assert group.freeze()
    assert group.is_frozen()
    assert group.kill().method is KillMethod.KILL_FILE
    assert await group.wait_unpopulated(5)
    assert process.wait(5) == -signal.SIGKILL


async def test_a_process_that_only_v1_has(group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if hierarchies.mode is not Mode.HYBRID:
        pytest.skip("needs v1 hierarchies and a cgroup2 beside them")
    inside = python(STUBBORN, into=group.attach)
    outside = python(STUBBORN, into=Cgroup(Hierarchies(hierarchies.v1), group.path).attach)
    assert group.outsiders() == {outside.pid}
    assert group.populated()
    result = group.kill()
    assert result.method is KillMethod.KILL_FILE
    assert result.signalled >= 1
    assert await group.wait_unpopulated(5)
    assert {inside.wait(5), outside.wait(5)} == {-signal.SIGKILL}


async def test_a_process_in_one_v1_hierarchy_is_seen(group: Cgroup, hierarchies: Hierarchies, python: Spawn) -> None:
    if "memory" not in hierarchies.v1:
        pytest.skip("needs the v1 memory hierarchy")
    stray = python(STUBBORN, into=Cgroup(Hierarchies({"memory": hierarchies.v1["memory"]}), group.path).attach)
    assert group.pids() == {stray.pid}
    with pytest.raises(CgroupError, match=str(stray.pid)):
        group.destroy()
    assert group.kill(everywhere=True).signalled == 1
    assert stray.wait(5) == -signal.SIGKILL


def test_strangers_are_spared(group: Cgroup, python: Spawn) -> None:
    neighbour = group.child("regular")
    victims = group.child("revocable")
    neighbour.ensure()
    victims.ensure()
    spared, killed = python(STUBBORN, into=neighbour.attach), python(STUBBORN, into=victims.attach)
    victims.kill()
    assert killed.wait(5) == -signal.SIGKILL
    assert spared.poll() is None
    assert neighbour.pids() == {spared.pid}


def test_nothing_to_kill(group: Cgroup) -> None:
    assert group.kill().missed == ()
    assert group.child("none").kill().missed == ()


def test_this_process_is_not_killed(group: Cgroup) -> None:
    code = (
        "import os\n"
        "from cgroups.group import Cgroup\n"
        "from cgroups.mounts import Hierarchies\n"
        "group = Cgroup(Hierarchies.discover(), os.environ['GROUP'])\n"
        "group.attach(os.getpid())\n"
        "group.kill()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "GROUP": group.path, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert "this process is in the group" in done.stderr


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
