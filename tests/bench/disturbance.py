"""What the clients of a regular pod notice of a revocation of 50 pods: the 99th percentile of their requests' time.

It is taken from the revocation's request to its receipt, beside the same before it, and beside a bare cgroup.kill of an
equal tree.

One revocation lasts for some dozen requests, so those of several are counted together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.bench.bare import Bare
from tests.bench.bench import FIVE, Harness, Target, bare_kill, until
from tests.support.load import Load, percentile

SERVER = ("sh", "-c", "mkdir /srv; echo here > /srv/index.html; exec httpd -f -p 8080 -h /srv")
PODS = 50
SETTLE_S = 1.0
BEFORE_S = 2.0
SPARE_S = 0.2
"""After the bare kill, so that the requests that were under way then have ended."""


async def measure(harness: Harness, bare: Bare, turns: int, tell: Callable[[str], None]) -> Target:
    web = await harness.up(1, command=SERVER)
    before: list[float] = []
    during: list[float] = []
    beside: list[float] = []
    for turn in range(turns):
        await harness.up(PODS, revocable=True, command=FIVE)
        names = [f"beside-{turn}-{number}" for number in range(PODS)]
        await asyncio.to_thread(bare.many, names, bare.up, 4)
        with Load(web[0].sandbox.ips[0], 8080) as load:
            await asyncio.sleep(SETTLE_S)
            quiet = time.monotonic()
            await asyncio.sleep(BEFORE_S)
            begin = time.monotonic()
            await harness.revoke()
            end = time.monotonic()
            await until(lambda: len(harness.pods) == len(web))
            await asyncio.sleep(SETTLE_S)
            begin_bare = time.monotonic()
            await bare_kill(f"{harness.rig.cgroup}/bare")
            end_bare = time.monotonic()
            await asyncio.sleep(SPARE_S)
            load.stop()
        if load.failures:
            raise RuntimeError(f"requests failed: {load.failures}")
        before += load.latencies_ms(quiet, begin)
        during += load.latencies_ms(begin, end)
        beside += load.latencies_ms(begin_bare, end_bare)
        await asyncio.to_thread(bare.many, names, bare.down, 4)
    await harness.down(web)
    p99 = [percentile(part, 99) for part in (before, during, beside)]
    counts = [len(part) for part in (before, during, beside)]
    tell(
        f"p99 of a regular pod: {p99[0]:.1f} ms before ({counts[0]}), {p99[1]:.1f} ms while {PODS} pods are "
        f"revoked ({counts[1]}), {p99[2]:.1f} ms during a bare cgroup.kill ({counts[2]})"
    )
    return Target(p99[1] / p99[0], 1.5)
