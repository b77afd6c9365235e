"""What statuses of others may claim: their own names and addresses, and none of what belongs to another role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from executor.dns.names import Zones
from executor.dns.tasks import Entry, Tasks
from executor.mesos.operator.messages import State
from tests.unit.dns.samples import added, state, status, task, updated

DB: dict[str, Any] = {"dns_names": "db.prod.svc.cluster.local", "dns_namespace": "prod"}
ZONE_ID = "fe80::1%x\n10.6.6.6 db.prod.svc.cluster.local"


def entry(each: dict[str, Any], mapping: Mapping[str, str] = {}, zones: Zones = Zones()) -> Entry:  # noqa: B008
    tasks = Tasks(zones, lambda _: False, hold_s=90.0, namespace_to_role=mapping)
    tasks.take_state(state(each), 0.0)
    (found,) = tasks.living.values()
    return found


def names(found: Entry) -> set[str]:
    return {name for _, name in found.pairs}


@pytest.mark.parametrize(
    "ip", [ZONE_ID, "127.0.0.1", "::1", "0.0.0.0", "224.0.0.5", "fe80::1", "169.254.169.254", "x\ny"]
)
def test_an_address_that_nobody_can_use_is_not_published(ip: str) -> None:
    found = entry(task("web", ip, "10.0.0.2"))
    assert {each for each, _ in found.pairs} == {"10.0.0.2"}
    assert len(found.refused) == 1 and "\n" not in found.refused[0]
    assert entry(task("web", ip)).pairs == ()


def test_a_namespace_of_another_role_cannot_be_claimed() -> None:
    mapping = {"prod": "bank"}
    for mapped, expected in ((mapping, False), ({"prod": "eng"}, True), ({"other": "bank"}, True), ({}, True)):
        found = entry(task("x", "10.6.6.6", role="eng", **DB), mapped)
        assert ("db.prod.svc.cluster.local" in names(found)) is expected
        assert ("10-6-6-6.prod.pod.cluster.local" in names(found)) is expected
        assert bool(found.refused) is not expected
        assert "x.fw.mesos" in names(found), "what is its own stays its own"
    assert "prod" in entry(task("x", "10.6.6.6", **DB), mapping).refused[0]


def test_a_task_of_no_known_role_has_nothing_of_a_mapped_namespace() -> None:
    each = task("x", "10.6.6.6", **DB)
    each["resources"] = []
    assert "db.prod.svc.cluster.local" not in names(entry(each, {"prod": "bank"}))


@pytest.mark.parametrize(
    ("executor", "sender", "source"),
    [("", "e", "SOURCE_EXECUTOR"), ("e", "another", "SOURCE_EXECUTOR"), ("e", "e", "SOURCE_AGENT")],
    ids=["a command task", "another executor", "the agent"],
)
def test_labels_count_only_from_the_task_s_own_executor(executor: str, sender: str, source: str) -> None:
    forged = status("x", "10.6.6.6", executor=sender, source=source, **DB)
    found = entry(task("x", executor=executor) | {"statuses": [forged]})
    assert names(found) and not any(name.endswith("cluster.local") for name in names(found))
    assert found.refused


def test_a_label_claims_nothing_outside_of_its_namespace() -> None:
    labels = {"dns_names": "db.prod.svc.cluster.local web.mine.svc.cluster.local", "dns_namespace": "mine"}
    found = entry(task("x", "10.0.0.2", **labels), {"prod": "bank"})
    assert "web.mine.svc.cluster.local" in names(found)
    assert "db.prod.svc.cluster.local" not in names(found)


def test_a_framework_s_name_claims_nothing_of_the_cluster_s() -> None:
    zones = Zones("cluster.local", "cluster.local")
    document = state(task("db", "10.6.6.6"))
    (framework,) = document.get_frameworks.frameworks
    assert framework.framework_info.name == "fw"
    tasks = Tasks(zones, lambda _: False, hold_s=90.0)
    hostile = State(
        document.get_tasks, type(document.get_frameworks)((_renamed(framework, "prod.svc"),)), document.get_agents
    )
    tasks.take_state(hostile, 0.0)
    assert [each.pairs for each in tasks.living.values()] == [()]


def test_an_update_is_judged_by_the_task_that_the_master_told_of() -> None:
    tasks = Tasks(Zones(), lambda _: False, hold_s=90.0, namespace_to_role={"prod": "bank"})
    tasks.take_state(state(), 0.0)
    for role, expected in (("eng", False), ("bank", True)):
        tasks.take_event(added(task(role, state="TASK_STAGING", role=role)), 0.0)
        (key,) = tasks.take_event(updated(status(role, "10.0.0.2", **DB)), 0.0)
        assert ("db.prod.svc.cluster.local" in names(tasks.living[key])) is expected


def _renamed(framework: Any, name: str) -> Any:
    info = type(framework.framework_info)(framework.framework_info.id, name)
    return type(framework)(info)
