"""The clients of a regular pod while 50 revocable pods are taken: no request fails."""

from __future__ import annotations

import time

import pytest

from tests.support.load import Load, percentile
from tests.support.mesos.scheduler import Scheduler
from tests.support.revoking import PREEMPTED, how, regular, run
from tests.support.rig import Rig

pytestmark = [pytest.mark.root, pytest.mark.mesos, pytest.mark.timeout(180)]

PODS = 50
SERVER = ("sh", "-c", "mkdir /srv; echo here > /srv/index.html; exec httpd -f -p 8080 -h /srv")
FIVE = ("sh", "-c", "for n in 1 2 3 4; do sleep 100000 & done; exec sleep 100000")
SETTLE_S = 2.0


def test_no_request_fails_while_fifty_pods_are_taken(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web", command=SERVER, cpus=1, mem=64))
    for first in range(0, PODS, 25):
        batch = range(first, first + 25)
        run(rig, scheduler, *(rig.pod(f"b{n}", revocable=True, cpus=0.05, mem=16, command=FIVE) for n in batch))
    (web,) = [pod for pod in rig.pods() if pod["name"] == "web"]
    with Load(web["ips"][0], 8080) as load:
        time.sleep(SETTLE_S / 2)
        load.window()
        time.sleep(SETTLE_S)
        before = load.window()
        receipt = rig.json("revoke", "--all")
        during = load.window()
        after_s = time.monotonic()
        statuses = [scheduler.wait_status(f"b{n}", "TASK_GONE", 60) for n in range(PODS)]
        torn_down_s = time.monotonic() - after_s
        tear_down = load.window()
    print(
        f"{PODS} pods in {receipt['time_to_free_ms']:.0f} ms; p50/p99 of a request before "
        f"{percentile(before, 50):.1f}/{percentile(before, 99):.1f} ms ({len(before)}), during "
        f"{percentile(during, 50):.1f}/{percentile(during, 99):.1f} ms ({len(during)}), after, {torn_down_s:.1f} s, "
        f"{percentile(tear_down, 50):.1f}/{percentile(tear_down, 99):.1f} ms ({len(tear_down)})"
    )
    assert load.failures == []
    assert len(before) > 100 and len(during) > 10, "there was a load"
    assert receipt["state"] == "done" and len(receipt["victims"]) == PODS and receipt["regular"]["unchanged"]
    assert {how(status) for status in statuses} == {PREEMPTED}
    assert regular(rig)["web"]
