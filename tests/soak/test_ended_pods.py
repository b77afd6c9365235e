"""An executor keeps nothing of a pod that it does not remember any more, however long the pod's logs are kept."""

from __future__ import annotations

import base64
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.soak.sampling import Sampler
from tests.soak.small_executor import HELD, REMEMBERED
from tests.support.mesos import messages
from tests.support.mesos.messages import TERMINAL
from tests.support.rig import OPTIONS, SLEEP, Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

PODS, AT_A_TIME = 40, 10
MOST_BYTES = 4096
"""A pod: 2 KB are the record of its logs, which stay, and a cache of names that fills."""
VALUE_BYTES = 16 << 10
"""In the ConfigMap of each pod: what holds a pod's description holds this."""


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    program = (sys.executable, "-m", "tests.soak.small_executor")
    with Rig(OPTIONS, program=program, config={"RETENTION_MOST_PODS": "100000"}) as node:
        yield node


@pytest.mark.parametrize("revoked", [False, True], ids=["finished", "revoked"])
def test_nothing_of_them_is_held(rig: Rig, *, revoked: bool) -> None:
    with rig.scheduler() as scheduler:
        executor = rig.executor("small", resources=[messages.scalar("mem", 512)])
        agent = scheduler.launch([rig.pod("anchor")], executor, timeout_s=60)
        scheduler.wait_status("anchor", "TASK_RUNNING", 60)
        sampler = Sampler(rig, rig.agent.sandbox(scheduler.framework_id, "small"))

        def run(first: int, count: int) -> None:
            names = [f"job-{number}" for number in range(first, first + count)]
            scheduler.launch([task(rig, name, revocable=revoked) for name in names], executor, timeout_s=60)
            for name in names:
                scheduler.wait_status(name, "TASK_RUNNING" if revoked else "TASK_FINISHED", 120)
            if revoked:
                request = {"revoke": {"id": f"r-{first}", "select": {"all": True}, "grace": "0s"}}
                scheduler.message(agent, "small", json.dumps(request).encode())
                wait_for(lambda: all(scheduler.states(name)[-1] in TERMINAL for name in names) or None, 60)

        for first in range(0, 4 * REMEMBERED, AT_A_TIME):  # what is made once and kept
            run(first, AT_A_TIME)
        before = held(sampler)
        for first in range(100, 100 + PODS, AT_A_TIME):
            run(first, AT_A_TIME)
        each = (held(sampler) - before) / PODS
        print(f"\n{each:.0f} bytes a pod that has ended")
        assert each < MOST_BYTES


def task(rig: Rig, name: str, *, revocable: bool) -> dict[str, Any]:
    """With a ConfigMap of its own; a revocable one runs until it is revoked."""
    made = rig.pod(name, command=SLEEP if revocable else ("true",), revocable=revocable, cpus=0.05, mem=16)
    data = {"key": os.urandom(VALUE_BYTES // 2).hex()}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data}
    items = [json.loads(base64.b64decode(made["data"])), config]
    return {**made, "data": base64.b64encode(json.dumps({"kind": "List", "items": items}).encode()).decode()}


def held(sampler: Sampler) -> int:
    """Bytes, at rest: once the number does not fall any more."""
    file, found = sampler.sandbox / HELD, list[int]()

    def settled() -> bool | None:
        found.append(read(sampler, file))
        return True if len(found) > 1 and found[-1] >= found[-2] else None

    assert wait_for(settled, 30, 1.0)
    return min(found)


def read(sampler: Sampler, file: Path) -> int:
    file.unlink(missing_ok=True)
    os.kill(sampler.executor.pid, signal.SIGUSR2)
    assert wait_for(lambda: file.exists() or None, 30)
    return int(file.read_text())
