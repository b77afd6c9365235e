"""The executor's event loop while regular pods use every CPU and revocable pods start on what is left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from tests.mesos.lagging import P99_MS, PROGRAM
from tests.support import lag_executor
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import run
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos]

BUSY = ("sh", "-c", " & ".join(["while :; do :; done"] * 2 * (os.cpu_count() or 2)))
STARTS = 12
LOOKED_S = 10.0
PS_MAX_S = 5.0
"""An answer is a matter of CPU only, of which the command and the executor wait for their part."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(program=PROGRAM) as found:
        yield found


def test_starts_on_a_busy_node_do_not_hold_up_the_loop(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("busy", command=BUSY, cpus=4, mem=32))
    begin_s, answers_s = time.time(), list[float]()
    pods = [rig.pod(f"b{n}", revocable=True, cpus=0.05, mem=16) for n in range(STARTS)]
    scheduler.launch(pods, rig.executor())
    while (asked_s := time.time()) < begin_s + LOOKED_S:
        rig.pods()
        answers_s.append(time.time() - asked_s)
    file = rig.agent.sandbox(scheduler.framework_id, "mixed") / lag_executor.FILE
    lags = lag_executor.lags_ms(file, begin_s, begin_s + LOOKED_S)
    print(f"lag p99 {lag_executor.p99_ms(lags):.1f} max {max(lags):.1f} ms; slowest ps {max(answers_s):.2f} s")
    assert lag_executor.p99_ms(lags) < P99_MS
    assert max(answers_s) < PS_MAX_S
    rig.json("revoke", "--all")
    scheduler.kill("busy")
