"""The end of a first process, and the run of its container that it belongs to."""

from __future__ import annotations

from pathlib import Path

from cgroups import Hierarchies, Tree
from executor.log import get_logger
from executor.names import PodId
from executor.pod.exits.evidence import Evidence
from executor.pod.made import Made
from tests.unit.pod.lives import spec
from tests.unit.pod.runs import ran

GONE = 137
"""What is reported of a container that containerd does not know any more."""


def test_the_end_of_an_earlier_run_ends_no_later_one(tmp_path: Path) -> None:
    """A look-up asked for the first run, and its answer came when the container had been started again."""
    now: dict[str, Made] = {}
    tree = Tree(Hierarchies(unified=tmp_path), "/executor")
    evidence = Evidence(tree, PodId("pod-1"), spec(), now.get, get_logger(__name__))
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
