"""Whose memory limit was met, from the kernel's log, and what that means for the task."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgroups import Cgroup, Hierarchies
from executor.mesos.status import Capabilities, TaskState
from executor.names import TaskId
from executor.pod.exits.causes import out_of_memory
from executor.pod.exits.oom import by_counts, level_in_log
from executor.pod.life.effects import Report
from executor.pod.life.events import OOMD, Oom
from executor.reporting.status_updates import updates

ROOT = "/mesos/8a"
LEAF = f"{ROOT}/pods/revocable/_/pod-1/app"
GROUPS = [
    ("container", LEAF),
    ("pod", f"{ROOT}/pods/revocable/_/pod-1"),
    ("class", f"{ROOT}/pods/revocable"),
    ("executor", ROOT),
]


def line(limited: str | None, victim: str = LEAF, pid: int = 77) -> str:
    head = "4,1200,99,-;oom-kill:constraint="
    what = "CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom" if limited is None else (
        f"CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={limited}"
    )  # fmt: skip
    return f"{head}{what},task_memcg={victim},task=sh,pid={pid},uid=0\n"


@pytest.mark.parametrize(("level", "path"), GROUPS)
@pytest.mark.parametrize("above", ["", "/docker/abc"])
def test_the_level_is_the_group_that_the_kernel_names(level: str, path: str, above: str) -> None:
    assert level_in_log([line(above + path, above + LEAF)], GROUPS, 77) == level


def test_other_containers_and_other_lines_tell_nothing() -> None:
    lines = ["6,1,2,-;veth1: link up\n", line(ROOT, f"{LEAF}2"), line(LEAF, "/elsewhere"), "4,1,1,-;oom-kill:broken"]
    assert level_in_log(lines, GROUPS, 77) is None


def test_a_limit_above_the_executor_or_none_at_all_is_the_nodes() -> None:
    assert level_in_log([line("/mesos")], GROUPS, 77) == "node"
    assert level_in_log([line(None)], GROUPS, 77) == "node"


def test_a_group_within_the_container_is_the_containers() -> None:
    assert level_in_log([line(f"{LEAF}/inner", f"{LEAF}/inner")], GROUPS, 77) == "container"


def test_the_first_processs_own_record_counts_else_the_newest() -> None:
    lines = [line(f"{ROOT}/pods/revocable", pid=77), line(LEAF, pid=78)]
    assert level_in_log(lines, GROUPS, 77) == "class"
    assert level_in_log(lines, GROUPS, 5) == level_in_log(lines, GROUPS, None) == "container"


@pytest.mark.parametrize("revocable", [False, True])
@pytest.mark.parametrize(
    ("level", "regular", "borrowed"),
    [
        ("container", "REASON_CONTAINER_LIMITATION_MEMORY", "REASON_CONTAINER_LIMITATION_MEMORY"),
        ("pod", "REASON_CONTAINER_LIMITATION_MEMORY", "REASON_CONTAINER_LIMITATION_MEMORY"),
        ("class", "REASON_CONTAINER_LIMITATION_MEMORY", "REASON_CONTAINER_PREEMPTED"),
        ("executor", "REASON_CONTAINER_LIMITATION_MEMORY", "REASON_CONTAINER_PREEMPTED"),
        ("node", None, "REASON_CONTAINER_PREEMPTED"),
    ],
)
def test_an_own_limit_is_a_failure_and_a_shared_one_takes_what_was_borrowed(
    level: str, regular: str | None, borrowed: str, *, revocable: bool
) -> None:
    outcome = out_of_memory("app", Oom(level, 64 << 20, revocable))
    assert outcome.reason == (borrowed if revocable else regular)
    gone = outcome.reason == "REASON_CONTAINER_PREEMPTED"
    assert outcome.state is (TaskState.GONE if gone else TaskState.FAILED)
    assert ("67108864" in outcome.message) and "app" in outcome.message
    assert outcome.limit_bytes == (64 << 20 if level in ("container", "pod") else None)


@pytest.mark.parametrize("revocable", [False, True])
def test_an_end_by_systemd_oomd_is_named_so(*, revocable: bool) -> None:
    outcome = out_of_memory("app", Oom(OOMD, revocable=revocable))
    assert outcome.state is (TaskState.GONE if revocable else TaskState.FAILED)
    assert outcome.message == "container app was killed by systemd-oomd, because the node was short of memory"


def v2_group(point: Path, path: str, *, ooms: int, limit: str) -> Cgroup:
    directory = point / path.lstrip("/")
    directory.mkdir(parents=True)
    (directory / "memory.max").write_text(limit)
    (directory / "memory.peak").write_text(limit if limit != "max" else "0")  # page cache has filled all of them
    (directory / "memory.events.local").write_text(f"low 0\nhigh 0\nmax 9\noom {ooms}\noom_kill 1\n")
    return Cgroup(Hierarchies(unified=point), path)


@pytest.mark.parametrize(
    ("met", "level"), [(0, "container"), (1, "pod"), (2, "class"), (3, "executor"), (None, "node")]
)
def test_v2_counts_whose_limit_was_met(tmp_path: Path, met: int | None, level: str) -> None:
    limits = ["10", "20", "30", "max"]
    groups = [
        (name, v2_group(tmp_path, path, ooms=int(at == met), limit=limits[at]))
        for at, (name, path) in reversed(list(enumerate(GROUPS)))
    ][::-1]
    found = by_counts(groups)
    assert found.level == level
    assert found.limit_bytes == (None if met in (None, 3) else int(limits[met or 0]))


def test_mesos_is_told_the_limit_in_megabytes() -> None:
    able = Capabilities(partition_aware=True, task_killing_state=True)
    (update,) = updates(Report((TaskId("t"),), TaskState.FAILED, limit_bytes=32 << 20), able)
    assert update["limitation"] == {"resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 32.0}}]}
    (update,) = updates(Report((TaskId("t"),), TaskState.FAILED), able)
    assert "limitation" not in update
