"""The loop without a node under it: it sleeps without revocable pods, and says once when the kernel cannot help."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cgroups import Hierarchies, Tree
from executor.config import load
from executor.names import PodClass
from executor.revocation.governor import Governor, govern


class Counting(Tree):
    """Says how often somebody has looked at the revocable pods' group."""

    looks = 0

    def subtree(self, pod_class: str) -> Any:
        type(self).looks += pod_class == PodClass.REVOCABLE
        return super().subtree(pod_class)


@pytest.fixture
def tree(tmp_path: Path) -> Counting:
    Counting.looks = 0
    for path in ("mesos/c1/pods/regular", "mesos/c1/pods/revocable"):
        (tmp_path / "v1" / path).mkdir(parents=True)
    return Counting(Hierarchies({"memory": tmp_path / "v1"}, None), "/mesos/c1")


def governor(tree: Tree, pods: list[Any], run_dir: Path) -> Governor:
    config = load(f"[node]\nrun_dir = '{run_dir}'\n[pressure]\nenabled = true\ninterval_s = 0.2\n", {})
    return govern(config, tree, SimpleNamespace(), pods)  # type: ignore[arg-type]


def revocable() -> Any:
    resources = SimpleNamespace(cpus=1.0, mem_bytes=1)
    spec = SimpleNamespace(pod_class=PodClass.REVOCABLE, role="*", containers=(), resources=resources)
    return SimpleNamespace(id="pod-a", spec=spec, is_stopping=False)


async def test_nothing_is_looked_at_until_there_is_a_revocable_pod(
    tree: Counting, tmp_path: Path, records: list[Any]
) -> None:
    """Then, with neither cgroup2 nor PSI of groups here, what that means is said once."""
    pods: list[Any] = []
    loop = governor(tree, pods, tmp_path)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(loop.run())
        await asyncio.sleep(0.3)
        assert tree.looks == 0
        pods.append(revocable())
        loop.pods_changed()
        await asyncio.sleep(0.1)
        assert tree.looks > 0
        for _ in range(3):
            loop.pods_changed()
            await asyncio.sleep(0.3)
        task.cancel()
    assert [line["code"] for line in records if line.get("code", "").startswith("pressure.")] == ["pressure.blind"]
    assert loop.view() == {"phase": "calm", "cpus": None, "memory_high_bytes": None}
