"""Run by test_life.py where cgroup2 is the only hierarchy: a revocation's proof sees a regular process in whichever
group it is. Says "all is well" at the end.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from cgroups import Cgroup, Hierarchies, Tree
from executor.errors import Refused
from executor.names import PodClass, PodId
from executor.revocation.pod import Pod
from executor.revocation.proof import prove

LINES = 'echo $$ >"/sys/fs/cgroup$0/cgroup.procs"; exec unshare --pid --fork --kill-child sh -c "$1"'
MAIN = "(sleep 1000 &); echo started; exec sleep 1000"


@dataclass(frozen=True)
class Running:
    """One container of a pod. The orphan's parent has ended."""

    cgroup: Cgroup
    first: int
    orphan: int

    def pod(self, pod_class: PodClass) -> Pod:
        """What a proof reads of a pod."""
        record = SimpleNamespace(
            id=PodId(self.cgroup.path.rpartition("/")[2]),
            spec=SimpleNamespace(pod_class=pod_class),
            cgroup=self.cgroup,
            first_pids=lambda: [self.first],
            started_pids=lambda: [self.first],
            keeper_pid=lambda: None,
        )
        return cast("Pod", record)


@contextmanager
def running(cgroup: Cgroup) -> Iterator[Running]:
    """In a PID namespace of its own. The process above that stands in no cgroup of a pod's, as a shim does."""
    process = subprocess.Popen(["sh", "-c", LINES, cgroup.path, MAIN], stdout=subprocess.PIPE)
    with process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"started\n"
            first, orphan = sorted(cgroup.pids() - {process.pid})
            Cgroup(cgroup.hierarchies, f"{cgroup.path.split('/pods/')[0]}/executor").attach(process.pid)
            yield Running(cgroup, first, orphan)
        finally:
            process.kill()


def main(root: str) -> None:
    tree = Tree(Hierarchies.discover(), root)
    tree.executor.ensure(with_controllers=False)
    web, batch = tree.ensure_pod("regular", "*", "pod-1"), tree.ensure_pod("revocable", "*", "pod-2")
    with running(web) as regular, running(batch) as revocable:
        pods = [regular.pod(PodClass.REGULAR), revocable.pod(PodClass.REVOCABLE)]
        (before,) = prove(pods[1:], pods, tree).values()
        assert {process.pid for process in before.first | before.others} == {regular.first, regular.orphan}
        for pid in (regular.first, regular.orphan):
            batch.attach(pid)
            with pytest.raises(Refused, match=f"its process {pid} is in the revocable subtree"):
                prove(pods[1:], pods, tree)
            web.attach(pid)
        prove(pods[1:], pods, tree)
    assert asyncio.run(tree.root.wait_unpopulated(10))
    tree.root.destroy()


if __name__ == "__main__":
    main(sys.argv[1])
    print("all is well")
