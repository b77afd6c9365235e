"""Executors that are killed amid a launch, with no watcher and no other executor on the node: the next one that is
started releases what they left. Their agent waits for 60 s where a runc makes cgroups again that it removes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.crash.launching import since
from tests.crash.remains import remains
from tests.crash.test_seams import CLEAN_S, PROGRAM_DYING, Case, begin, check_statuses, is_met
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.scheduler import Scheduler
from tests.support.mesos.server import NotReadyError
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

SEAMS = ("Sandbox.connect after", "Snapshots.prepare after", "Tasks.create after")
END_S = 30.0
"""Less than the agent's own 60 s."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(program=PROGRAM_DYING) as node:
        yield node


def has_died(rig: Rig, scheduler: Scheduler, case: Case) -> bool:
    """Whether its executor was started, and killed where it should be."""
    with contextlib.suppress(NotReadyError):
        case.sandbox = rig.agent.sandbox(scheduler.framework_id, case.name)
        return is_met(case)
    return False


def test_the_next_executor_releases_what_they_left(rig: Rig) -> None:
    with rig.scheduler() as scheduler:
        there = remains(rig)
        cases = [Case(f"{seam} 1", watched=False, name=f"dies-{number}") for number, seam in enumerate(SEAMS)]
        for case in cases:
            begin(rig, scheduler, case)
        assert wait_for(lambda: True if all(has_died(rig, scheduler, case) for case in cases) else None, 60), cases
        begun_s = time.monotonic()
        scheduler.launch([rig.pod("next")], rig.executor("next"), timeout_s=60)
        scheduler.wait_status("next", "TASK_RUNNING", 60)
        for case in cases:
            for task in case.tasks:
                scheduler.wait_status(task, TERMINAL, END_S)
            check_statuses(scheduler, case)
        print(f"\nall ends were told {time.monotonic() - begun_s:.1f} s after the launch of the next executor")
        scheduler.kill("next")
        scheduler.wait_status("next", TERMINAL, 30)
        assert wait_for(lambda: True if not since(remains(rig), there) else None, CLEAN_S), since(remains(rig), there)
