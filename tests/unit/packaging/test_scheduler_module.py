"""packaging/examples/mesos_pods.py: tasks out of offers, answers and statuses. The executor's own code judges both."""

from __future__ import annotations

import ast
import base64
import copy
import json
import re
import sys
from typing import Any

import pytest
from examples import mesos_pods
from examples.mesos_pods import Next, Status

from executor.mesos import master_rules
from executor.mesos.status import TERMINAL
from executor.pod import listing
from executor.revocation import request
from executor.spec import object_update
from executor.spec.launch import parse_launch
from tests.support.sources import ROOT

MODULE = ROOT / "packaging/examples/mesos_pods.py"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
INFO = {
    "type": "CUSTOM",
    "executor_id": {"value": "e"},
    "command": {"value": "x"},
    "resources": [{"name": "mem", "type": "SCALAR", "scalar": {"value": 96}}],
}


def scalar(name: str, value: float, **keys: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, "allocation_info": {"role": "*"}, **keys}


def offers() -> list[dict[str, Any]]:
    """Two of one agent, as Mesos makes them: memory reserved in part, cpus of both kinds, one of another role."""
    agent = {"value": "S0"}
    reserved = [{"type": "STATIC", "role": "*"}]
    ports = {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31002}]}}
    regular = [scalar("cpus", 1.0), scalar("mem", 100, reservations=reserved), scalar("mem", 200), ports]
    lent = [
        scalar("cpus", 2.0, revocable={}, provider_id={"value": "lender"}),
        scalar("cpus", 9, allocation_info={"role": "x"}),
    ]
    return [
        {"id": {"value": "O1"}, "agent_id": agent, "resources": regular},
        {"id": {"value": "O2"}, "agent_id": agent, "resources": lent},
    ]


def test_tasks_are_what_the_master_and_the_executor_accept() -> None:
    placer = mesos_pods.Placer(INFO)
    given = offers()
    wanted = [
        mesos_pods.Wanted("web", POD, cpus=0.3, mem=64, ports=[31001], labels={"a": "b"}),
        mesos_pods.Wanted("batch", POD, cpus=1.5, mem=64, revocable=True),
    ]
    tasks = placer.place("F", given, wanted)
    assert given == offers(), "the offers are the caller's"
    assert tasks is not None
    web, batch = (parse_launch([task], group=False) for task in tasks)
    assert (web.pod_class, web.resources.cpus, batch.pod_class) == ("regular", 0.3, "revocable")
    assert list(master_rules.faults(tasks, tasks[0]["executor"], group=False, complete=True)) == []
    assert tasks[0]["executor"] == tasks[1]["executor"]
    (cpus,) = [each for each in tasks[1]["resources"] if each["name"] == "cpus"]
    assert cpus["provider_id"] == {"value": "lender"}
    memory = [each for task in tasks for each in task["resources"] if each["name"] == "mem"]
    memory += tasks[0]["executor"]["resources"]
    assert sum(each["scalar"]["value"] for each in memory) == 224
    assert {"reservations" in each for each in memory} == {True, False}, "parts of both"


def test_an_executor_is_named_as_it_was_until_it_has_ended() -> None:
    placer = mesos_pods.Placer(INFO)
    (first,) = placer.place("F", offers(), [mesos_pods.Wanted("a", POD, cpus=0.1, mem=10)]) or [{}]
    small = offers()
    small[0]["resources"] = [scalar("cpus", 1.0), scalar("mem", 10)]
    (second,) = placer.place("F", small, [mesos_pods.Wanted("b", POD, cpus=0.1, mem=10)]) or [{}]
    assert second["executor"] == first["executor"]
    placer.forget("S0")
    assert placer.place("F", small, [mesos_pods.Wanted("b", POD, cpus=0.1, mem=10)]) is None, "it needs memory again"


@pytest.mark.parametrize(
    "keys",
    [{"cpus": 1.1}, {"cpus": 2.1, "revocable": True}, {"mem": 205}, {"ports": [31003]}, {"ports": [31001, 31001]}],
)
def test_no_room_is_none_and_takes_nothing(keys: dict[str, Any]) -> None:
    placer = mesos_pods.Placer(INFO)
    assert placer.place("F", offers(), [mesos_pods.Wanted("a", POD, **({"cpus": 0.1, "mem": 10} | keys))]) is None
    left = copy.deepcopy(offers()[0]["resources"])
    with pytest.raises(LookupError):
        mesos_pods.take(left, "mem", 301)
    assert left == offers()[0]["resources"]


def test_no_part_of_a_persistent_volume_is_taken() -> None:
    volume = {"name": "disk", "type": "SCALAR", "scalar": {"value": 64}, "disk": {"persistence": {"id": "db"}}}
    plain = {"name": "disk", "type": "SCALAR", "scalar": {"value": 10}}
    left = copy.deepcopy([volume, plain])
    assert mesos_pods.take(left, "disk", 10) == [plain]
    with pytest.raises(LookupError):
        mesos_pods.take(left, "disk", 1)
    assert left[0] == volume


def opened(data: str) -> Any:
    ((_, body),) = json.loads(base64.b64decode(data)).items()
    return body


def test_requests_are_understood() -> None:
    data = mesos_pods.revoke("r-1", {"tasks": ["a"]}, grace="3s", reason="x", dry_run=True)
    parsed = request.parse(opened(data), default_grace_s=0.0, fresh_id="")
    assert (parsed.id, parsed.grace_s, parsed.dry_run) == ("r-1", 3.0, True)
    assert object_update.parse(opened(mesos_pods.update("u", "t", [{"kind": "Secret"}]))).task == "t"
    assert listing.parse(opened(mesos_pods.listing("l"))) == listing.Query("l", None)
    assert listing.parse(opened(mesos_pods.listing("l", ["t"]))) == listing.Query("l", ("t",))


def test_answers() -> None:
    def answer(document: object) -> mesos_pods.Answer:
        return mesos_pods.Answer.of(base64.b64encode(json.dumps(document).encode()).decode())

    receipt = answer({"revocation": {"id": "r-1", "state": "running"}})
    assert (receipt.kind, receipt.id, receipt.is_final) == ("revocation", "r-1", False)
    assert answer({"revocation": {"id": "r-1", "state": "done"}}).is_final and answer({"error": {}}).is_final
    with pytest.raises(ValueError, match="not a message"):
        answer({"a": 1, "b": 2})


def status(state: str, reason: str = "", **keys: Any) -> Status:
    return Status.of({"task_id": {"value": "t"}, "state": state, "reason": reason, **keys})


def test_what_follows_each_status() -> None:
    assert status("TASK_RUNNING").next is Next.NOTHING and status("TASK_FINISHED").next is Next.DONE
    assert status("TASK_KILLED").next is Next.NOTHING
    assert status("TASK_KILLED", "REASON_EXECUTOR_TERMINATED").next is Next.ELSEWHERE
    assert status("TASK_FAILED").next is Next.AGAIN and status("TASK_LOST").next is Next.AGAIN
    assert status("TASK_GONE", "REASON_CONTAINER_PREEMPTED").next is Next.WHEN_OFFERED
    assert status("TASK_FAILED", "REASON_TASK_INVALID").next is Next.CORRECT
    assert {str(each) for each in TERMINAL} <= mesos_pods.TERMINAL


def test_every_reason_of_the_executor_has_its_row() -> None:
    """But for those that no terminal status has, and one that calls for no other launch."""
    sources = "".join(path.read_text() for path in (ROOT / "executor").rglob("*.py") if "api" not in path.parts)
    reasons = set(re.findall(r'"(REASON_[A-Z_]+[A-Z])"', sources)) - {"REASON_TASK_KILLED_DURING_LAUNCH"}
    unknown = {each for each in reasons if status("TASK_FAILED", each).next is Next.AGAIN}
    assert {each for each in unknown if not each.endswith("STATUS_UPDATED")} == set()


def test_a_status_of_the_agent_has_no_containers() -> None:
    assert status("TASK_LOST", data="bm8=").containers == () == status("TASK_LOST").containers
    data = base64.b64encode(json.dumps({"containers": [{"name": "c"}]}).encode()).decode()
    full = status("TASK_RUNNING", data=data, healthy=True, labels={"labels": [{"key": "a", "value": "b"}]},
                  container_status={"network_infos": [{"ip_addresses": [{"ip_address": "10.0.0.2"}]}]})  # fmt: skip
    assert (full.containers[0]["name"], full.healthy, full.labels, full.ips) == ("c", True, {"a": "b"}, ("10.0.0.2",))


def test_delays_double_and_are_forgotten() -> None:
    backoff = mesos_pods.Backoff(1.0, 60.0)
    delays = [backoff.failed("web", 0.0) for _ in range(10)]
    assert all(2.0**n <= delay <= 2.0**n * 1.25 for n, delay in enumerate(delays[:6]))
    assert max(delays) <= 75
    assert not backoff.may("web", 1.0) and backoff.may("web", 200.0) and backoff.may("other", 0.0)
    assert backoff.failed("web", 500.0) < 1.3, "it ran for long"


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(MODULE.read_text())
    names = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    names |= {name.name for each in ast.walk(tree) if isinstance(each, ast.Import) for name in each.names}
    assert {str(name).partition(".")[0] for name in names} <= sys.stdlib_module_names
