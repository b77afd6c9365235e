"""Any launch whatever: a pod, or an InvalidTask and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from executor.spec.model import PodSpec
from tests.unit.pod.samples import FULL_DOCKER_TASK, FULL_MESOS_TASK, FULL_POD, full_task, lookup, pod, scalar, task

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
# what gets past the first look: values of the right type, but of odd content
ODD = st.sampled_from(
    ["", "/", "..", "$(A", "1Ei", "-1", "0", "a" * 300, "\n", "ä", "CAP_ALL", "127.0.0.1", "::", "x:y", "None"]
)
VALUES = JSON | ODD | st.sampled_from([0, 1, 65535, 2**31, 2**63, -1, 1e308, [], {}, [{}], {"name": "a"}])


def outcome(tasks: Any, *, group: bool) -> PodSpec | None:
    try:
        return parse_launch(tasks, group=group)
    except InvalidTask as error:
        text = str(error)
    assert error_is_fit_to_send(text)
    return None


def error_is_fit_to_send(text: str) -> bool:
    return 0 < len(text) < 2000 and bool(text.encode()) and "\0" not in text


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += paths(item, (*at, key))
    return found


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    found = copy.deepcopy(document)
    if not path:
        return value
    lookup(found, list(path[:-1]))[path[-1]] = value
    return found


@given(JSON, st.booleans())
def test_any_json_as_tasks(tasks: Any, group: bool) -> None:
    outcome(tasks, group=group)
    outcome([tasks], group=group)
    outcome([{**task(), "data": tasks}], group=group)


@given(st.sampled_from(paths(FULL_POD)), VALUES)
def test_any_value_anywhere_in_a_pod(path: tuple[Any, ...], value: Any) -> None:
    document = replaced(FULL_POD, path, value)
    try:
        launched = full_task(document)
    except ValueError:
        return  # half a surrogate pair cannot be sent at all
    outcome([launched], group=False)


@pytest.mark.parametrize("document", [FULL_MESOS_TASK, FULL_DOCKER_TASK], ids=["mesos", "docker"])
@given(st.data())
def test_any_value_anywhere_in_a_task(document: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(paths(document)))
    changed = replaced(document, path, data.draw(VALUES))
    for group in (False, True):
        outcome([changed], group=group)


def test_the_samples_are_pods() -> None:
    assert outcome([full_task(FULL_POD)], group=False)
    assert outcome([FULL_MESOS_TASK], group=False)
    assert outcome([FULL_DOCKER_TASK], group=True)


@pytest.mark.parametrize(("tasks", "words"), [([], "no task"), ({}, "no task"), ([task(), task()], "one task")])
def test_the_number_of_tasks(tasks: Any, words: str) -> None:
    with pytest.raises(InvalidTask, match=words) as caught:
        parse_launch(tasks, group=False)
    assert caught.value.subject == "tasks"


def test_a_launch_is_read_twice_alike_and_left_as_it_was() -> None:
    launched = task(pod())
    before = copy.deepcopy(launched)
    assert parse_launch([launched], group=False) == parse_launch([launched], group=False)
    assert launched == before


def test_text_that_no_process_can_be_given() -> None:
    with pytest.raises(InvalidTask, match="NUL"):
        parse_launch([task(command={"value": "a\0b"}, resources=[scalar("mem", 64)])], group=False)


def test_a_deep_task_is_refused_before_it_is_walked() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(InvalidTask, match="nests deeper"):
        parse_launch([task(discovery=deep)], group=False)
