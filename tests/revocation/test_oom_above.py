"""Real memory kills above the pods, where no isolator of the agent's ends the whole container instead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, run, tightened, unharmed
from tests.support.rig import OPTIONS, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

HOG = ("sh", "-c", "sleep 3; exec dd if=/dev/zero of=/dev/null bs=400M count=1")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(replace(OPTIONS, launcher="posix")) as node:
        yield node


@pytest.mark.parametrize(
    ("above", "words"),
    [("", "the limit of the executor's Mesos container of"), ("..", "the memory of the node was met")],
    ids=["the executor's own", "above it"],
)
def test_what_was_borrowed_is_taken_back_and_no_limit_of_the_tasks_is_named(
    rig: Rig, scheduler: Scheduler, above: str, words: str
) -> None:
    """A limit that is nobody's here is to the executor as if the node had run out of memory."""
    run(rig, scheduler, rig.pod("web"), rig.pod("innocent", revocable=True))
    before = rig.pods()
    run(rig, scheduler, rig.pod("hog", revocable=True, mem=512, command=HOG))
    own = rig.pods()[0]["cgroup"].partition("/pods/")[0]
    group = (Path("/sys/fs/cgroup/memory") / own.lstrip("/") / above).resolve()
    limit = int((group / "memory.limit_in_bytes").read_text())
    used = int((group / "memory.usage_in_bytes").read_text())
    assert wait_for(lambda: tightened(group, used + (100 << 20)) or None, 2)
    try:
        status = scheduler.wait_status("hog", ("TASK_GONE", "TASK_FAILED"), 30)
        assert how(status) == PREEMPTED and words in status.message
        assert "limitation" not in status.raw, "it met no limit of its own"
        assert unharmed(rig, before)
    finally:
        (group / "memory.limit_in_bytes").write_text(str(limit if limit < 1 << 60 else -1))
