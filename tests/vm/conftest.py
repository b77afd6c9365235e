"""One node and one executor for all tests, since both take long to start on this machine.

The agent has the posix launcher: the isolators of Mesos 1.11 do not start on cgroup v2. The executor `mixed` lives as
long as the regular pod `keeper`, which stands for all that no test may harm. A test that needs another configuration or
place starts an executor of its own in the same framework.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from executor.cli.executors.client import clients
from executor.cli.exits import Unreachable
from tests.support.mesos.history import Status
from tests.support.mesos.messages import TERMINAL
from tests.support.mesos.options import AgentOptions
from tests.support.mesos.scheduler import Scheduler
from tests.support.patience import patient
from tests.support.revoking import run
from tests.support.rig import OPTIONS, Rig, wait_for
from tests.vm.groups import HUGE_PAGES_MIB, ON_V2, PIDS_MAX, by_name

FAMILY = ("sh", "-c", "sleep 100000 & exec sleep 100000")
LIMITS = {"resources": {"limits": {"cpu": "500m", "memory": "40Mi"}}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not ON_V2:
        for item in items:
            if item.path.parent.name == "vm":
                item.add_marker(pytest.mark.skip("needs a machine with cgroup v2 alone: tests/run vm"))


class Machine(Rig):
    """It asks the executors itself, since the command `ps` takes three seconds here."""

    def __init__(self, options: AgentOptions, config: Mapping[str, str]) -> None:
        super().__init__(options, config=config)
        self.executors: set[str] = set()
        """The ids of all that tests have described."""

    def executor(self, executor_id: str = "mixed", **fields: Any) -> dict[str, Any]:
        self.executors.add(executor_id)
        return super().executor(executor_id, **fields)

    def pods(self) -> list[dict[str, Any]]:
        found = []
        for client in clients(self.run_dir):
            with contextlib.suppress(Unreachable):  # it has just ended
                found += client.get("/v1/pods", timeout_s=patient(10))["pods"]
        return found


@pytest.fixture(scope="session")
def rig() -> Iterator[Machine]:
    resources = f"{OPTIONS.resources};hugepages-2Mi:{HUGE_PAGES_MIB}"
    options = replace(OPTIONS, launcher="posix", resources=resources)
    with Machine(options, {"PODS_PIDS_MAX": str(PIDS_MAX)}) as node:
        yield node


@pytest.fixture(scope="session")
def framework(rig: Rig) -> Iterator[Scheduler]:
    with rig.scheduler(name="machine") as scheduler:
        run(rig, scheduler, rig.pod("keeper", cpus=1.0, mem=64, command=FAMILY, container=LIMITS))
        yield scheduler
    assert not any((leaks := rig.wait_clean(30)).values()), leaks


@pytest.fixture
def keeper(rig: Rig, framework: Scheduler) -> dict[str, Any]:
    """The regular pod that no test may harm."""
    return by_name(rig)["keeper"]


@pytest.fixture
def scheduler(
    rig: Machine, framework: Scheduler, keeper: dict[str, Any], request: pytest.FixtureRequest
) -> Iterator[Scheduler]:
    """What a test launches ends with it, and its own executors do; `keeper` has the processes that it had. A test may
    give its tasks the names that another has used: it does not see their updates.
    """
    kept, owners, failed = running(framework), set(rig.run_dir.glob("*.owner")), request.session.testsfailed
    before, executors = rig.processes(keeper), set(rig.executors)
    yield framework
    if request.session.testsfailed > failed:
        rig.keep_evidence()
    left = running(framework) - kept
    for task in left:
        framework.kill(task, grace_s=0)
    for task in left:
        framework.wait_status(task, TERMINAL)
    for executor in rig.executors - executors:
        framework.shutdown_executor(rig.agent.agent_id, executor)
    assert wait_for(lambda: True if set(rig.run_dir.glob("*.owner")) <= owners else None, 30)
    assert rig.processes(keeper) == before and len(before) == 2
    forget(framework, kept)


def running(framework: Scheduler) -> set[str]:
    """Tasks that have not ended."""
    latest = {status.task_id: status for status in framework.statuses()}
    return {task for task, status in latest.items() if status.state not in TERMINAL}


def forget(framework: Scheduler, kept: Collection[str]) -> None:
    """The updates of all tasks but these."""
    with framework.changed:
        framework.events = [
            event for event in framework.events if event.type != "UPDATE" or Status.of(event).task_id in kept
        ]
