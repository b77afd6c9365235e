"""One node for this suite, with one executor whose pods every test may look at; none may end `web` or `pair`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import IMAGE, SLEEP, Rig

METRICS_PORT = 9477
TALK = ("sh", "-c", "trap 'exit 0' TERM; echo one; echo two; echo oops >&2; sleep 1000 & wait")


@pytest.fixture(scope="package")
def rig() -> Iterator[Rig]:
    with Rig(config={"CONTROL_METRICS_PORT": str(METRICS_PORT)}) as node:
        yield node


@pytest.fixture(scope="package")
def scheduler(rig: Rig) -> Iterator[Scheduler]:
    containers = [{"name": name, "image": IMAGE, "command": list(SLEEP)} for name in ("left", "right")]
    tasks = [
        rig.pod("web", command=TALK, container={"env": [{"name": "GREETING", "value": "hello"}]}),
        rig.pod("pair", spec={"containers": containers}, metadata={"namespace": "shop", "labels": {"app": "x"}}),
    ]
    with rig.scheduler(name="observability") as framework:
        framework.launch(tasks, rig.executor())
        for task in tasks:
            framework.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)
        yield framework
        for task in tasks:
            framework.kill(task["task_id"]["value"], grace_s=1)
        for task in tasks:
            framework.wait_status(task["task_id"]["value"], "TASK_KILLED", 30)
        leaks = rig.wait_clean()
    assert not any(leaks.values()), leaks
