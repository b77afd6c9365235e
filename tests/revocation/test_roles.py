"""Roles on a node: what the configuration lets them use is kept by the kernel, and namespaces belong to them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.mesos.scheduler import Scheduler
from tests.support.rig import Rig, wait_for

pytestmark = [pytest.mark.root, pytest.mark.mesos]

MIB = 1 << 20
CONFIG = {
    "ROLES_LIMITS": "eng=cpus:0.4;mem:256Mi",
    "ROLES_NAMESPACE_TO_ROLE": "prod=eng,lab=eng/dev",
}
BUSY = ("sh", "-c", "trap 'exit 0' TERM; while :; do :; done & while :; do :; done & wait")


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig(config=CONFIG) as node:
        yield node


@pytest.fixture
def scheduler(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    failed = request.session.testsfailed
    with rig.scheduler(name=request.node.name, roles=("eng/dev",)) as framework:
        yield framework
        if request.session.testsfailed > failed:
            rig.keep_evidence()
    assert not any((leaks := rig.wait_clean()).values()), leaks


def run(rig: Rig, scheduler: Scheduler, *tasks: dict[str, Any]) -> None:
    scheduler.launch(list(tasks), rig.executor(), role="eng/dev")
    for task in tasks:
        scheduler.wait_status(task["task_id"]["value"], "TASK_RUNNING", 30)


def of_role(rig: Rig, pod_class: str, role: str) -> str:
    """The role's cgroup in a class."""
    pod = next(pod for pod in rig.pods() if pod["class"] == pod_class)
    return f"{pod['cgroup'].partition(f'/{pod_class}/')[0]}/{pod_class}/{role}"


def setting(controller: str, cgroup: str, name: str) -> int:
    return int(Path(f"/sys/fs/cgroup/{controller}{cgroup}/{name}").read_text())


def test_a_role_uses_no_more_than_its_limit_in_either_class(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web", cpus=2, command=BUSY))
    run(rig, scheduler, rig.pod("batch", revocable=True, cpus=2, command=BUSY))
    groups = {each: of_role(rig, each, "eng") for each in ("regular", "revocable")}
    for group in groups.values():
        assert setting("cpu", group, "cpu.cfs_quota_us") == 40_000
        assert setting("memory", group, "memory.limit_in_bytes") == 256 * MIB
        assert setting("cpu", f"{group}/dev", "cpu.cfs_quota_us") == -1
    before, begin = setting("cpuacct", groups["regular"], "cpuacct.usage"), time.monotonic()
    time.sleep(3)
    used = (setting("cpuacct", groups["regular"], "cpuacct.usage") - before) / 1e9 / (time.monotonic() - begin)
    print(f"{used:.2f} cores of 0.40")
    assert used < 0.45


def test_the_limit_comes_again_with_the_roles_next_pod(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("other", revocable=True), rig.pod("first"))
    group = of_role(rig, "regular", "eng")
    scheduler.kill("first")
    scheduler.wait_status("first", "TASK_KILLED", 30)
    assert rig.command("ps") and not Path(f"/sys/fs/cgroup/cpu{group}").exists()
    run(rig, scheduler, rig.pod("second"))
    assert setting("cpu", group, "cpu.cfs_quota_us") == 40_000


def test_a_role_that_meets_its_memory_limit_is_named(rig: Rig, scheduler: Scheduler) -> None:
    """Neither pod is above its own limit; together they are above their role's."""
    hold = "mkfifo /tmp/f; sleep 1000 < /tmp/f & exec dd if=/dev/zero bs=160M count=1 of=/tmp/f"
    run(rig, scheduler, rig.pod("quiet"), rig.pod("a", mem=190, command=("sh", "-c", hold)))
    scheduler.launch([rig.pod("b", mem=190, command=("sh", "-c", hold))], rig.executor(), role="eng/dev")
    found = wait_for(
        lambda: [each for each in rig.journal("mixed", scheduler) if each["code"] == "pod.oom"] or None, 30
    )
    assert found and (found[0]["oom"], found[0]["limit_bytes"]) == ("role", 256 * MIB)
    status = scheduler.wait_status(found[0]["task"], "TASK_FAILED", 30)
    assert "the limit of its role on this node of 268435456 bytes" in status.message
    assert "quiet" in {pod["name"] for pod in rig.pods()}


def test_a_pod_that_its_role_can_never_hold_is_refused(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web"))
    scheduler.launch([rig.pod("large", mem=300)], rig.executor(), role="eng/dev")
    status = scheduler.wait_status("large", "TASK_FAILED", 30)
    assert "role eng: asks for" in status.message and "no more than 268435456 bytes" in status.message


def test_a_namespace_of_another_role_is_refused_with_a_clear_message(rig: Rig, scheduler: Scheduler) -> None:
    run(rig, scheduler, rig.pod("web", metadata={"namespace": "lab"}), rig.pod("free"))
    scheduler.launch([rig.pod("stray", metadata={"namespace": "prod"})], rig.executor(), role="eng/dev")
    status = scheduler.wait_status("stray", "TASK_FAILED", 30)
    assert (status.reason, status.source) == ("REASON_TASK_INVALID", "SOURCE_EXECUTOR")
    for words in ("metadata.namespace", "namespace prod", "role eng,", "are of eng/dev", "[roles] namespace_to_role"):
        assert words in status.message
    assert {pod["name"] for pod in rig.pods()} == {"web", "free"}
