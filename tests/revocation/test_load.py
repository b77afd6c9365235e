"""The clients of a regular pod while 50 revocable pods are taken: no request fails."""

from __future__ import annotations

import time
from itertools import pairwise

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
        marks = [time.monotonic()]
        time.sleep(SETTLE_S)
        marks.append(time.monotonic())
        receipt = rig.json("revoke", "--all")
        marks.append(time.monotonic())
        statuses = [scheduler.wait_status(f"b{n}", "TASK_GONE", 60) for n in range(PODS)]
        marks.append(time.monotonic())
        load.stop()
    before, during, after = (load.latencies_ms(*ends) for ends in pairwise(marks))
    print(f"{PODS} pods in {receipt['time_to_free_ms']:.0f} ms")
    for name, part in (("before", before), ("during", during), ("after", after)):
        print(f"{name}: p50 {percentile(part, 50):.1f} ms, p99 {percentile(part, 99):.1f} ms of {len(part)}")
    assert load.failures == []
    assert len(before) > 100 and len(during) > 10, "there was a load"
    assert receipt["state"] == "done" and len(receipt["victims"]) == PODS and receipt["regular"]["unchanged"]
    assert {how(status) for status in statuses} == {PREEMPTED}
    assert regular(rig)["web"]
