"""Run by test_life.py where cgroup2 is the only hierarchy: an executor enters its Mesos container's group and leaves
it, where the agent keeps the container's processes in the group itself, and in its child `leaf`. Says "all is well" at
the end.

The controller is hugetlb, which no v1 hierarchy of the test machine has; nothing is limited by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from cgroups import Cgroup, CgroupError, Hierarchies, Membership, create
from executor.config.cgroups import CgroupsSection
from executor.names import MesosContainerId
from executor.node.claims import Claim
from executor.process import own_cgroups

POINT = Path("/sys/fs/cgroup")
CONTROLLER = "hugetlb"
ID = MesosContainerId("c4d5-1111")


def passed_on(path: str) -> list[str]:
    return (POINT / path.lstrip("/") / "cgroup.subtree_control").read_text().split()


def pass_on(path: str) -> None:
    """As runc does above the group of each container."""
    (POINT / path.lstrip("/") / "cgroup.subtree_control").write_text(f"+{CONTROLLER}")


def lived(before: str, *, passes: bool) -> None:
    """One life of an executor whose process, and its launcher, are in `before`. `passes`: the agent has the container's
    group pass the controller on.
    """
    root = Cgroup(Hierarchies.discover(), before.removesuffix("/leaf"))
    create.ensure(POINT, before, delegate=[CONTROLLER] if passes else [])
    create.ensure(POINT, f"{root.path.rpartition('/')[0]}/another", delegate=[CONTROLLER])
    home, claim = Membership.of(os.getpid()), Claim()
    with subprocess.Popen(["sleep", "1000"]) as launcher:
        try:
            pids = (launcher.pid, os.getpid())
            for pid in pids:
                Cgroup(root.hierarchies, before).attach(pid)
            asyncio.run(life(root, claim))
            assert {Membership.of(pid).paths[""] for pid in pids} == {before}
            assert passed_on(root.path) == ([CONTROLLER] if passes else [])
            assert root.children() == (["leaf"] if passes else []) and not claim.kept
        finally:
            home.rejoin(root.hierarchies)
            launcher.kill()


async def life(root: Cgroup, claim: Claim) -> None:
    async with AsyncExitStack() as stack:
        found = own_cgroups.container_root(Membership.of(os.getpid()).paths, ID)
        assert found == root.path
        tree = own_cgroups.enter(CgroupsSection(), found, claim, stack)
        assert os.getpid() in tree.executor.pids()
        pass_on(root.path)
        pass_on(tree.pods.path)
        assert list((POINT / tree.pods.path.lstrip("/")).glob(f"regular/{CONTROLLER}.*.max"))


def main(top: str) -> None:
    before = passed_on("/")
    try:
        lived(f"{top}/mesos/{ID}", passes=False)
        Cgroup(Hierarchies.discover(), top).destroy()
        lived(f"{top}/mesos/{ID}/leaf", passes=True)
    finally:
        with contextlib.suppress(CgroupError):
            Cgroup(Hierarchies.discover(), top).destroy()
        if CONTROLLER not in before:
            with contextlib.suppress(OSError):  # another run of the tests needs it
                (POINT / "cgroup.subtree_control").write_text(f"-{CONTROLLER}")


if __name__ == "__main__":
    main(sys.argv[1])
    print("all is well")
