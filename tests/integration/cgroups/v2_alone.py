"""Run by test_life.py where cgroup2 is the only hierarchy: kill, freeze, events, pressure, destroy, and the executor's
tree. Says "all is well" at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

from cgroups import Cgroup, CgroupBusy, Hierarchies, KillMethod, Limits, Mode, Resource, Tree

DAEMON = "(sleep 1000 & sleep 1000 &) & exec sleep 1000"


async def main(root: str) -> None:
    hierarchies = Hierarchies.discover()
    assert (hierarchies.mode, hierarchies.points) == (Mode.V2, (Path("/sys/fs/cgroup"),))
    tree = Tree(hierarchies, root)
    try:
        await live(tree)
    finally:
        with contextlib.suppress(CgroupBusy):
            tree.root.kill()
        assert await tree.root.wait_unpopulated(10)
        tree.root.destroy()
    assert not tree.root.exists()


async def live(tree: Tree) -> None:
    regular, revocable = tree.ensure_pod("regular", "*", "pod-1"), tree.ensure_pod("revocable", "eng/dev", "pod-2")
    with start(regular.path) as spared, start(revocable.path) as victim:
        assert set(tree.walk("revocable")) == {("eng/dev", "pod-2")}
        assert regular.populated() and revocable.populated()
        there = files(revocable)
        missing = revocable.apply(Limits(cpu_weight=1, cpu_idle=True, memory_max_bytes=1 << 30, pids_max=9))
        assert not there & set(missing)
        assert tree.subtree("revocable").freeze()
        assert revocable.is_frozen() and not regular.is_frozen()
        assert (revocable.stat().cpu_usage_usec or 0) > 0
        assert ("memory.pressure" in there) == (revocable.pressure(Resource.MEMORY) is not None)
        result = tree.subtree("revocable").kill()
        assert (result.method, result.signalled, result.missed) == (KillMethod.KILL_FILE, 0, ())
        assert await tree.subtree("revocable").wait_unpopulated(10)
        assert victim.wait(10) == -9
        assert spared.poll() is None and regular.pids()
        tree.destroy_pod("revocable", "eng/dev", "pod-2")
        assert tree.subtree("revocable").children() == []
        assert tree.subtree("regular").kill().missed == ()


def files(group: Cgroup) -> set[str]:
    return {path.name for path in Path(f"/sys/fs/cgroup{group.path}").iterdir()}


def start(group: str) -> subprocess.Popen[bytes]:
    join = f"echo $$ > /sys/fs/cgroup{group}/cgroup.procs; {DAEMON}"
    process = subprocess.Popen(["/bin/sh", "-c", f"{join}"], stdout=subprocess.DEVNULL)
    procs = Path(f"/sys/fs/cgroup{group}/cgroup.procs")
    while str(process.pid) not in procs.read_text().split() and process.poll() is None:
        pass
    return process


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    print("all is well")
