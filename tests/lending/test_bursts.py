"""Bursts of an owner on a node whose idle share is full of borrowed pods: how long before its first instruction the
resources are back. The figures are printed as one line of JSON.
"""

from __future__ import annotations

import json

import pytest

from executor.revocation.history import percentiles
from tests.support.lending import Lender, borrow, borrower, demand, first_instruction, owner
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(300)]

BURSTS, CPUS = 10, 4


def test_bursts(rig: Rig) -> None:
    freed, margins = [], []
    with Lender(rig) as lender, owner(rig) as spark, borrower(rig) as batch:
        batch.launch([rig.pod("web", cpus=1)], rig.executor("regular"))
        batch.wait_status("web", "TASK_RUNNING", 30)
        web = [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"]
        for burst in range(BURSTS):
            lender.wait_offer(float(CPUS))
            names = [f"b{burst}-{number}" for number in range(CPUS)]
            borrow(rig, batch, names)
            lender.wait(lambda now: len(now["loans"]) == CPUS)
            first = rig.directory / f"burst-{burst}"
            launched_s = demand(spark, f"exec-{burst}", float(CPUS), first)
            began_s = first_instruction(first)
            for name in names:
                assert batch.wait_status(name, TERMINAL, 20).reason == "REASON_CONTAINER_PREEMPTED"
            (ended_s,) = lender.freed_s()[burst:]
            freed.append((ended_s - launched_s) * 1000)
            margins.append((began_s - ended_s) * 1000)
            spark.kill(f"exec-{burst}")
            spark.wait_status(f"exec-{burst}", TERMINAL, 20)
        assert [rig.processes(pod) for pod in rig.pods() if pod["name"] == "web"] == web
        history = rig.json("lending", "history", "--last", "1000")
    assert history["took"]["count"] == BURSTS * CPUS
    before = sum(margin > 0 for margin in margins)
    figures = {
        "bursts": BURSTS,
        "back_before_first_instruction": before,
        "freed_after_launch": percentiles(freed),
        "before_first_instruction": percentiles(margins) | {"min_ms": round(min(margins), 1)},
    }
    print(json.dumps(figures))
    assert before == BURSTS, figures
