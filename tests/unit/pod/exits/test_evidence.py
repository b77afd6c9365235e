"""The end of a first process, and the run of its container that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cgroups import Hierarchies, Tree
from executor.errors import ContainerdFailure
from executor.log import get_logger
from executor.names import PodId
from executor.pod.container.container_run import ContainerRun
from executor.pod.exits.evidence import Evidence
from tests.unit.pod.lives import spec
from tests.unit.pod.runs import ran

GONE = 137
"""What is reported of a container that containerd does not know any more."""


def of_runs(now: Mapping[str, ContainerRun], directory: Path) -> Evidence:
    """`now` has the run of each container that is there."""
    tree = Tree(Hierarchies(unified=directory), "/executor")
    return Evidence(tree, PodId("pod-1"), spec(), now.get, get_logger(__name__))


def test_the_end_of_an_earlier_run_ends_no_later_one(tmp_path: Path) -> None:
    """A look-up asked for the first run, and its answer came when the container had been started again."""
    now: dict[str, ContainerRun] = {}
    evidence = of_runs(now, tmp_path)
    with ran(1) as (first, _), ran(2) as (second, _):
        now["app"] = first
        exited = evidence.read("app", 3, first.pid, pod_ends=False)
        assert exited is not None and (exited.run, exited.exit_code, exited.pid) == (1, 3, first.pid)
        assert evidence.read("app", GONE, second.pid, pod_ends=False) is None
        now["app"] = second
        assert evidence.read("app", GONE, first.pid, pod_ends=False) is None
        exited = evidence.read("app", 3, second.pid, pod_ends=False)
        assert exited is not None and exited.run == 2
        del now["app"]  # between two runs
        assert evidence.read("app", GONE, second.pid, pod_ends=False) is None


def test_an_end_is_kept_until_it_is_known_whether_the_run_was_started(tmp_path: Path) -> None:
    """A start that a restart of containerd cuts off may end the first process: the container is then made again."""
    with ran() as (current, _):
        current.start_known = False
        evidence = of_runs({"app": current}, tmp_path)
        assert evidence.read("app", 3, current.pid, pod_ends=False) is None
        current.start_known = True
        exited = evidence.early("app")
        assert exited is not None and (exited.exit_code, exited.pid) == (3, current.pid)
    with ran() as (current, _):
        assert of_runs({"app": current}, tmp_path).early("app") is None, "it has not ended"


def test_a_start_that_failed_names_what_the_kernel_killed_for_memory(tmp_path: Path) -> None:
    """containerd says nothing of it where the runtime's own process met the container's limit."""
    evidence = of_runs({}, tmp_path)
    failure = ContainerdFailure("cannot start a stopped process: unknown", subject="container pod-1-app")
    assert evidence.of_failed_start("app", failure) is failure, "the group is gone"
    one = spec()
    tree = Tree(Hierarchies(unified=tmp_path), "/executor")
    group = tmp_path / tree.container(one.pod_class, one.role, PodId("pod-1"), "app").path.lstrip("/")
    group.mkdir(parents=True)
    for kills, words in ((0, ""), (1, "; the kernel killed 1 process of it for memory")):
        for name in ("memory.events", "memory.events.local"):
            (group / name).write_text(f"low 0\nhigh 0\nmax {kills}\noom {kills}\noom_kill {kills}\n")
        found = evidence.of_failed_start("app", failure)
        assert found.message == failure.message + words and found.subject == failure.subject
        assert ("raise its memory limit" in found.hint) is bool(kills)
