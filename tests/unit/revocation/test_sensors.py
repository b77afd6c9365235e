"""What is read without a node: the CPU time of /proc/stat, and which cgroups are protected."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from cgroups import Hierarchies, Tree
from executor.errors import InvalidConfig
from executor.names import MesosContainerId
from executor.node import claims as owners
from executor.revocation.sensors import Sensors, busy_s


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(Hierarchies({}, tmp_path / "unified"), "/mesos/own")


def test_busy_is_all_but_idle_and_waiting_for_disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stat").write_text("cpu  100 20 30 5000 600 7 8 9 40 10\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    assert busy_s(psutil.cpu_times()) == pytest.approx((100 + 20 + 30 + 7 + 8 + 9) / os.sysconf("SC_CLK_TCK"))


def test_regular_pods_of_every_executor_are_protected(tree: Tree, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with owners.claim(run_dir, MesosContainerId("own"), "/mesos/own"):
        with owners.claim(run_dir, MesosContainerId("other"), "/mesos/other"):
            (run_dir / "foreign.owner").write_text('{"cgroup_root": "no/path", "pid": 1}')
            paths = [group.path for group in Sensors(tree, run_dir, ["/system.slice/"]).protected()]
        alone = [group.path for group in Sensors(tree, run_dir).protected()]
    assert paths == ["/mesos/other/pods/regular", "/mesos/own/pods/regular", "/system.slice"]
    assert "/mesos/other/pods/regular" not in alone and "/mesos/own/pods/regular" in alone


@pytest.mark.parametrize("path", ["/", "/../x"])
def test_what_cannot_be_protected_is_named(tree: Tree, tmp_path: Path, path: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        Sensors(tree, tmp_path, [path])
    assert caught.value.subject == "pressure.protect"


def test_a_node_without_groups_still_has_a_sample(tree: Tree, tmp_path: Path) -> None:
    sample = Sensors(tree, tmp_path).sample()
    assert sample.busy_s > 0 and 0 < sample.available_bytes <= sample.total_bytes
    assert (sample.protected_s, sample.revocable_s, sample.revocable_bytes) == ({}, 0.0, 0)
