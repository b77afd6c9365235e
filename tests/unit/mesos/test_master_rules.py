"""The master's rules where they do not answer to a real master (that is tests/mesos): which fault is named, and how."""

from __future__ import annotations

from typing import Any

from executor.mesos.master_rules import executor_faults, faults

CPUS: dict[str, Any] = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}
MEM: dict[str, Any] = {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}
LENT = CPUS | {"revocable": {}}
EXECUTOR: dict[str, Any] = {"executor_id": {"value": "x"}, "command": {"value": "x"}, "type": "CUSTOM"}


def task(*resources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"task_id": {"value": "t"}, "resources": list(resources), **fields}


def test_a_mixture_is_named_once_with_its_hint() -> None:
    (fault,) = faults([task(LENT)], EXECUTOR | {"resources": [CPUS, MEM]}, group=False)
    assert fault.subject == "executor.resources" and "cpus" in fault.message and "ExecutorID" in fault.hint
    (fault,) = faults([task(LENT, CPUS)], EXECUTOR | {"resources": [CPUS]}, group=False)
    assert fault.subject == "resources"


def test_a_group_names_the_task() -> None:
    (fault,) = faults([task(CPUS), task(task_id={"value": "u"})], None, group=True, complete=False)
    assert fault.subject == "tasks[1].resources"


def test_the_executor_may_still_be_added() -> None:
    assert faults([task(CPUS)], None, group=False, complete=False) == []
    assert [fault.subject for fault in faults([task(CPUS)], None, group=False)] == ["executor"]
    assert [fault.subject for fault in faults([task(CPUS)], None, group=True)] == ["executor"]


def test_all_that_an_executor_lacks_for_groups() -> None:
    assert executor_faults(EXECUTOR, group=False) == []
    assert len(executor_faults(EXECUTOR, group=True)) == 3
    assert executor_faults(EXECUTOR | {"framework_id": {"value": "a"}}, group=False, framework_id="b")
