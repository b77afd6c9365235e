"""The v2 layout on a directory tree that looks like one: what is enabled where, what is read from which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups.errors import CgroupError, CgroupNotFound
from cgroups.group import Cgroup
from cgroups.limits import Limits
from cgroups.mounts import Hierarchies, Mode
from cgroups.pressure import Resource


def level(path: Path, available: str, enabled: str = "") -> Path:
    path.mkdir(exist_ok=True)
    (path / "cgroup.controllers").write_text(available)
    (path / "cgroup.subtree_control").write_text(enabled)
    return path


@pytest.fixture
def point(tmp_path: Path) -> Path:
    return level(tmp_path / "fs", "cpu memory pids", "memory pids")


@pytest.fixture
def group(point: Path) -> Cgroup:
    return Cgroup(Hierarchies(unified=point), "/slice/pods/one")


def control(path: Path) -> str:
    return (path / "cgroup.subtree_control").read_text()


def test_the_missing_controller_is_enabled_on_every_level_above(point: Path, group: Cgroup) -> None:
    slice_, pods = level(point / "slice", "cpu memory", "memory"), level(point / "slice/pods", "memory", "memory")
    group.ensure()
    assert control(point) == "+cpu"
    assert control(slice_) == "+cpu"
    assert control(pods) == "memory"  # it was not passed down so far: nothing to enable
    assert (pods / "one").is_dir()


@pytest.mark.parametrize("missing", ["cpu", "memory", "pids", "io", "cpuset"])
def test_every_controller_that_the_kernel_has_is_passed_on(tmp_path: Path, missing: str) -> None:
    every = {"cpu", "memory", "pids", "io", "cpuset"}
    top = level(tmp_path / "fs", " ".join(every), " ".join(every - {missing}))
    pods = level(top / "pods", " ".join(every), " ".join(every - {missing}))
    Cgroup(Hierarchies(unified=top), "/pods/one").ensure()
    assert control(top) == control(pods) == f"+{missing}"


def test_what_v1_has_under_another_name_is_not_enabled_on_cgroup2(tmp_path: Path) -> None:
    top = level(tmp_path / "fs", "io cpuset", "")
    (tmp_path / "blkio").mkdir()
    Cgroup(Hierarchies({"blkio": tmp_path / "blkio"}, top), "/one").ensure()
    assert control(top) == "+cpuset"


def test_the_group_itself_passes_nothing_on(point: Path, group: Cgroup) -> None:
    for path in ("slice", "slice/pods", "slice/pods/one"):
        level(point / path, "cpu memory pids")
    group.ensure()
    assert control(point / "slice/pods/one") == ""


def test_without_controllers_nothing_is_enabled(point: Path, group: Cgroup) -> None:
    group.ensure(with_controllers=False)
    assert control(point) == "memory pids"
    assert group.exists()


def test_in_hybrid_v1_controllers_are_not_enabled(point: Path, tmp_path: Path) -> None:
    v1 = {name: tmp_path / name for name in ("cpu", "memory", "pids")}
    for path in v1.values():
        path.mkdir()
    hybrid = Cgroup(Hierarchies(v1, point), "/a")
    hybrid.ensure()
    assert hybrid.hierarchies.mode is Mode.HYBRID
    assert control(point) == "memory pids"
    assert all((path / "a").is_dir() for path in (*v1.values(), point))


def test_a_controller_that_is_nowhere_is_reported(point: Path, group: Cgroup) -> None:
    group.ensure()
    (point / "slice/pods/one/cpu.weight").write_text("100")
    assert group.apply(Limits(cpu_weight=3, pids_max=4, memory_low_bytes=1)) == ["memory.low", "pids.max"]
    assert (point / "slice/pods/one/cpu.weight").read_text() == "3"


def test_v1_without_the_controllers_hierarchy_is_reported(tmp_path: Path) -> None:
    (tmp_path / "freezer/a").mkdir(parents=True)
    group = Cgroup(Hierarchies({"freezer": tmp_path / "freezer"}), "/a")
    assert group.apply(Limits(cpu_weight=3, pids_max=4)) == ["cpu.weight", "pids.max"]


def test_limits_of_a_missing_group(group: Cgroup) -> None:
    with pytest.raises(CgroupNotFound):
        group.apply(Limits(pids_max=4))
    assert group.apply(Limits()) == []


def test_stat(point: Path, group: Cgroup) -> None:
    group.ensure()
    files = {
        "cpu.stat": "usage_usec 12\nuser_usec 8\nnr_periods 3\nnr_throttled 1\nthrottled_usec 40\n",
        "memory.current": "5000\n",
        "memory.stat": "anon 1\ninactive_file 2000\n",
        "memory.max": "max\n",
        "memory.events": "low 0\noom 3\noom_kill 2\n",
        "memory.events.local": "oom_kill 1\n",
        "pids.current": "4\n",
        "pids.max": "9\n",
        "pids.events": "max 7\n",
    }
    for name, text in files.items():
        (point / "slice/pods/one" / name).write_text(text)
    stat = group.stat()
    assert (stat.cpu_usage_usec, stat.throttled_usec, stat.periods, stat.throttled_periods) == (12, 40, 3, 1)
    assert (stat.memory_bytes, stat.memory_working_set_bytes, stat.memory_max_bytes) == (5000, 3000, None)
    assert (stat.oom_kills, stat.oom_kills_local) == (2, 1)
    assert (stat.pids, stat.pids_max, stat.refused_forks) == (4, 9, 7)


def test_stat_of_a_missing_group_is_all_none(group: Cgroup) -> None:
    assert set(vars(group.stat()).values()) == {None}


def test_pressure(point: Path, group: Cgroup) -> None:
    group.ensure()
    assert group.pressure(Resource.CPU) is None
    path = point / "slice/pods/one"
    (path / "cpu.pressure").write_text("some avg10=1.50 avg60=0.10 avg300=0.00 total=77\n")
    (path / "io.pressure").write_text(
        "some avg10=1.50 avg60=0.10 avg300=0.00 total=77\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=7\n"
    )
    cpu, io = group.pressure(Resource.CPU), group.pressure(Resource.IO)
    assert cpu is not None and (cpu.some.avg10, cpu.some.total_usec, cpu.full) == (1.5, 77, None)
    assert io is not None and io.full is not None and io.full.total_usec == 7


def test_events(point: Path, group: Cgroup) -> None:
    group.ensure()
    events = point / "slice/pods/one/cgroup.events"
    events.write_text("populated 1\nfrozen 1\n")
    assert group.populated() and group.is_frozen()
    events.write_text("populated 0\nfrozen 0\n")
    assert not group.populated() and not group.is_frozen()


def test_the_root_group_is_nobodys(point: Path) -> None:
    with pytest.raises(CgroupError, match="root group"):
        Cgroup(Hierarchies(unified=point), "/")


def test_the_memory_of_children_is_accounted_on_old_kernels(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    (memory / "a").mkdir(parents=True)
    (memory / "a/memory.use_hierarchy").write_text("0\n")
    Cgroup(Hierarchies({"memory": memory}), "/a").ensure()
    assert (memory / "a/memory.use_hierarchy").read_text() == "1"


def test_a_new_cpuset_inherits(tmp_path: Path) -> None:
    for name, text in (("", "0-3\n"), ("a", "\n")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cpuset.cpus").write_text(text)
        (tmp_path / name / "cpuset.mems").write_text("0\n")
    Cgroup(Hierarchies({"cpuset": tmp_path}), "/a").ensure()
    assert (tmp_path / "a/cpuset.cpus").read_text() == "0-3"
    assert (tmp_path / "a/cpuset.mems").read_text() == "0\n"


def test_what_is_above_a_group_that_is_ready_is_left_alone(point: Path, group: Cgroup) -> None:
    """A pod comes on a node where its role's group is there: that costs one directory a hierarchy, not seven."""
    for path in ("slice", "slice/pods"):
        level(point / path, "cpu memory pids", "cpu memory pids")
    group.ensure()
    assert (point / "slice/pods/one").is_dir()
    assert control(point) == "memory pids", "as it was"


@pytest.mark.parametrize(
    ("controller", "file", "before", "after"),
    [("memory", "memory.use_hierarchy", "0\n", "1"), ("cpuset", "cpuset.cpus", "\n", "0-1")],
)
def test_a_group_of_v1_that_is_not_ready_is_made_so(
    tmp_path: Path, controller: str, file: str, before: str, after: str
) -> None:
    """Somebody made the one above, and left what an old kernel wants."""
    top = tmp_path / controller
    (top / "a").mkdir(parents=True)
    for path, text in ((top, after), (top / "a", before)):
        (path / file).write_text(text)
        (path / "cpuset.mems").write_text("0\n")
    Cgroup(Hierarchies({controller: top}), "/a/b").ensure()
    assert (top / "a" / file).read_text() == after
    assert (top / "a/b").is_dir()
