"""All faults of a description are found in one reading, each once."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from executor.errors import MESSAGE_MAX, InvalidTask, together
from executor.spec.kubernetes.pod_documents import Pod
from executor.spec.launch import parse_launch
from executor.spec.mesos.taskinfo import TaskInfo
from executor.spec.reading import form, marks
from executor.spec.reading.faults import Faults
from executor.spec.reading.marks import Kind
from tests.unit.pod.samples import Document, pod, task


def faults(document: Document, **fields: Any) -> list[str]:
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(document, **fields)], group=False)
    return [fault.subject for fault in caught.value.faults]


MANY: Document = pod(
    {"args": ["a", 1], "image": "a b", "ports": [{"containerPort": 0}, {"containerPort": 80, "protocol": "X"}]},
    hostname="A",
    hostAliases=[{"ip": "x", "hostnames": ["-", "fine", "_"]}],
    restartPolicy="Sometimes",
    extra=1,
)


def test_form_and_meaning_are_judged_together() -> None:
    assert sorted(faults({**MANY, "metadata": {"labels": {"a": 1}, "name": 5}}, agent_id=1, nonsense=2)) == [
        "TaskInfo.nonsense",
        "metadata.labels['a']",
        "metadata.name",
        "spec.containers[0].args[1]",
        "spec.containers[0].image",
        "spec.containers[0].ports[0].containerPort",
        "spec.containers[0].ports[1].protocol",
        "spec.extra",
        "spec.hostAliases[0].hostnames[0]",
        "spec.hostAliases[0].hostnames[2]",
        "spec.hostAliases[0].ip",
        "spec.hostname",
        "spec.restartPolicy",
    ]


def test_a_fault_is_not_told_twice() -> None:
    """A container without a name has no bad name as well, and one with a bad port may ask for that of the node."""
    one = {"image": "x", "ports": [{"containerPort": "http", "hostPort": 31000}]}
    assert sorted(faults(pod(containers=[one]))) == [
        "spec.containers[0].name",
        "spec.containers[0].ports[0].containerPort",
    ]


def test_the_message_names_all_as_far_as_it_goes() -> None:
    error = together([InvalidTask("is wrong", subject="a", hint="mend it"), InvalidTask("is bad", subject="b")])
    assert (error.subject, error.message) == ("a", "is wrong (mend it); 1 more fault: b: is bad")
    hint = "correct the task: mesos-pod-executor validate FILE lists all"
    assert str(error) == f"a: is wrong (mend it); 1 more fault: b: is bad ({hint})"
    many = together([InvalidTask("is wrong", subject=f"x{n}") for n in range(10_000)])
    named = str(many).count(": is wrong")
    assert len(many.faults) == 10_000 and named > 50 and many.message.endswith(f"; and {10_000 - named} more")
    large = together([InvalidTask("is wrong " * 1000, subject="x") for _ in range(10)])
    assert large.message.endswith("; and 6 more") and len(large.message) <= MESSAGE_MAX


def test_a_fault_near_a_fault_of_the_form_repeats_it() -> None:
    found = Faults([InvalidTask("", subject="a.b[1].c"), InvalidTask("", subject="m.x['p.q/r']")])
    for path in ("a", "a.b", "a.b[1]", "a.b[1].c", "a.b[1].c[0].d", "m.x['p.q/r']", "a.b[2]", "a.bc", "m.x['p']", "z"):
        found.add(InvalidTask("", subject=path))
    with pytest.raises(InvalidTask) as caught:
        found.end()
    assert [fault.subject for fault in caught.value.faults[2:]] == ["a.b[2]", "a.bc", "m.x['p']", "z"]


@pytest.mark.parametrize("struct", [Pod, TaskInfo])
def test_every_required_field_has_a_neutral_value(struct: type[msgspec.Struct]) -> None:
    assert form.read({}, struct)
    for rule in marks.rules(struct).values():
        if rule.shape.struct is not None:
            document: Any = {rule.name: [{}] if rule.shape.kind is Kind.LIST else {}}
            assert form.read(document, struct)
            test_every_required_field_has_a_neutral_value(rule.shape.struct)


def test_ten_thousand_faults_cost_little() -> None:
    document = pod(hostAliases=[{"ip": "x"}] * 990)
    document["spec"] |= {f"containr{n}": n for n in range(990)}
    document["spec"]["containers"] *= 90
    begin_s = time.process_time()
    assert len(faults(document)) > 2000
    assert time.process_time() - begin_s < 1
