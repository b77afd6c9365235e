"""The blast radius: nothing is killed while anything regular lies in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from executor.errors import Refused
from executor.names import PodClass, PodId
from executor.revocation.proof import (
    check_placement,
    check_processes,
    owners_of,
    parent,
    photograph,
    pid_namespace,
)

WEB, BATCH = PodId("pod-000000000001"), PodId("pod-000000000002")


def test_revocable_pods_in_their_subtree_may_be_taken() -> None:
    check_placement({BATCH: PodClass.REVOCABLE}, [BATCH], [WEB])
    check_placement({BATCH: PodClass.REVOCABLE}, [], [WEB])  # it is being launched: there is nothing yet


@pytest.mark.parametrize(
    "check",
    [
        lambda: check_placement({WEB: PodClass.REGULAR}, [], []),
        lambda: check_placement({BATCH: PodClass.REVOCABLE}, [BATCH, WEB], [WEB]),
    ],
    ids=["a regular victim", "a regular pod's cgroup among them"],
)
def test_a_regular_pod_in_reach_is_refused_by_name(check: Callable[[], None]) -> None:
    with pytest.raises(Refused) as caught:
        check()
    assert caught.value.subject == WEB


def test_a_regular_process_in_reach_is_refused_by_pid() -> None:
    """Itself, and its child, and no process that only has the same parent, or has ended."""
    with subprocess.Popen(["sleep", "100"]) as child, subprocess.Popen(["sleep", "100"]) as stranger:
        try:
            owners = owners_of({WEB: [child.pid], BATCH: [stranger.pid]}, {})
            with pytest.raises(Refused, match=f"process {child.pid}") as caught:
                check_processes([stranger.pid, 2**22 + 1, child.pid], owners, {WEB})
            assert caught.value.subject == WEB
            check_processes([stranger.pid, 2**22 + 1, os.getppid()], owners, {WEB})
        finally:
            child.kill()
            stranger.kill()


def test_what_the_kernel_says_of_a_process() -> None:
    assert parent(os.getpid()) == os.getppid()
    assert pid_namespace(os.getpid()) == str(Path("/proc/self/ns/pid").readlink())
    assert parent(2**22 + 1) is None and pid_namespace(2**22 + 1) is None


def test_a_photograph_has_the_living_with_their_identities() -> None:
    picture = photograph(WEB, [os.getpid(), 2**22 + 1], [os.getpid(), os.getppid()])
    assert [process.pid for process in picture.first] == [os.getpid()]
    assert {process.pid for process in picture.others} == {os.getppid()}
    assert all(process.identity > 0 for process in picture.first | picture.others)
