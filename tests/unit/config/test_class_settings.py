"""CPUs and limits on disks of a class: what the configuration takes, and what becomes of it on a node."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups import Hierarchies, Tree
from executor.config import load
from executor.config.cgroups import CgroupsSection
from executor.config.io_limits import parse
from executor.errors import CgroupFailure, InvalidConfig
from executor.names import PodClass
from executor.node import class_settings


def test_a_limit_on_a_disk() -> None:
    assert parse("/dev/sda rbps=100Mi wiops=1k") == ("/dev/sda", {"rbps": 100 << 20, "wiops": 1000})


@pytest.mark.parametrize(
    "item", ["", "/dev/sda", "sda rbps=1", "/dev/sda rbps", "/dev/sda rbps=0", "/dev/sda rbps=x", "/dev/sda r=1",
             "/dev/sda rbps=1 rbps=2"],
)  # fmt: skip
def test_what_is_no_limit(item: str) -> None:
    with pytest.raises(InvalidConfig, match="a list of limits"):
        load(None, {"MESOS_POD_EXECUTOR_CGROUPS_REVOCABLE_IO_MAX": item or " x"})


def test_one_limit_a_disk() -> None:
    with pytest.raises(InvalidConfig, match="one limit for each disk"):
        load('[cgroups]\nrevocable_io_max = ["/a rbps=1", "/a wbps=1"]\n', {})


@pytest.mark.parametrize("text", ["1-", "x", "0-10000", "3-1", "1,,2", "-"])
def test_what_is_no_list_of_cpus(text: str) -> None:
    with pytest.raises(InvalidConfig, match="a list of CPUs"):
        load(f"[cgroups]\nrevocable_cpus = {text!r}\n", {})


def test_a_disk_that_is_not_here(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"revocable_io_max: .*no such disk"):
        class_settings.disk_limits((f"{tmp_path}/none rbps=1",))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """v2 with the files that the kernel has for a class."""
    for pod_class in PodClass:
        group = tmp_path / "own/pods" / pod_class
        group.mkdir(parents=True)
        for file in ("io.bfq.weight", "io.max", "cpuset.cpus", "cpuset.cpus.effective"):
            (group / file).touch()
    return Tree(Hierarchies(unified=tmp_path), "/own")


def text(tree: Tree, pod_class: PodClass, file: str) -> str:
    assert tree.hierarchies.unified is not None
    return (tree.hierarchies.unified / "own/pods" / pod_class / file).read_text()


def test_the_classes_on_v2(tree: Tree) -> None:
    find = {"/dev/sda": "8:0"}.__getitem__
    section = CgroupsSection(regular_cpus="0-6", revocable_cpus="4-7", revocable_io_max=("/dev/sda rbps=1Mi",))
    for pod_class in PodClass:
        class_settings.apply(tree, pod_class, section, find)
        assert class_settings.block_io(tree.hierarchies, pod_class, section, find) == {}
    assert (text(tree, PodClass.REGULAR, "io.bfq.weight"), text(tree, PodClass.REVOCABLE, "io.bfq.weight")) == (
        "100", "1",
    )  # fmt: skip
    assert (text(tree, PodClass.REGULAR, "cpuset.cpus"), text(tree, PodClass.REVOCABLE, "cpuset.cpus")) == (
        "0-6", "4-7",
    )  # fmt: skip
    assert text(tree, PodClass.REGULAR, "io.max") == ""
    assert text(tree, PodClass.REVOCABLE, "io.max") == "8:0 rbps=1048576 wbps=max riops=max wiops=max"


def test_a_node_that_cannot_do_it_says_so(tree: Tree) -> None:
    assert tree.hierarchies.unified is not None
    (tree.hierarchies.unified / "own/pods/revocable/cpuset.cpus").unlink()
    with pytest.raises(CgroupFailure, match=r"\[cgroups\] revocable_cpus: there is no cpuset.cpus here"):
        class_settings.apply(tree, PodClass.REVOCABLE, CgroupsSection(revocable_cpus="0"))
    class_settings.apply(tree, PodClass.REVOCABLE, CgroupsSection())


def test_v1_limits_each_container(tmp_path: Path) -> None:
    find = {"/dev/sdb": "8:16"}.__getitem__
    v1 = Hierarchies({"blkio": tmp_path}, tmp_path / "unified")
    section = CgroupsSection(revocable_io_max=("/dev/sdb wbps=5 riops=9",))
    assert class_settings.block_io(v1, PodClass.REGULAR, section, find) == {}
    assert class_settings.block_io(v1, PodClass.REVOCABLE, section, find) == {
        "throttleWriteBpsDevice": [{"major": 8, "minor": 16, "rate": 5}],
        "throttleReadIOPSDevice": [{"major": 8, "minor": 16, "rate": 9}],
    }
