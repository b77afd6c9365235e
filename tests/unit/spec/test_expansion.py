"""What `$(NAME)` grows to: refused before it is put together, in time that is linear in what was written."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from executor.errors import InvalidTask
from executor.spec import command, expansion
from executor.spec.expansion import CONTAINER_MAX_BYTES, TEXT_MAX_BYTES
from executor.spec.launch import parse_launch
from tests.unit.pod.samples import pod, scalar, task, with_image
from tests.unit.pod.volume_samples import with_objects


def doubled(levels: int, times: int = 10) -> list[dict[str, str]]:
    """Each variable is ten times the one before."""
    env = [{"name": "A0", "value": "x"}]
    return env + [{"name": f"A{at + 1}", "value": f"$(A{at})" * times} for at in range(levels)]


def launch(**container: Any) -> None:
    parse_launch([task(pod(container))], group=False)


GROWING = {
    "ten times over twelve levels": ({"env": doubled(12)}, "container app, variable A6"),
    "twice over sixty levels": ({"env": doubled(60, times=2)}, "container app, variable A17"),
    "many large variables": (
        {"env": [*doubled(5), *({"name": f"B{at}", "value": "$(A5)"} for at in range(20))]},
        "container app, variable B9",
    ),
    "one argument": ({"env": doubled(5), "args": ["$(A5)$(A5)"]}, "container app, command and args"),
    "many arguments": ({"env": doubled(5), "command": ["$(A5)"] * 11}, "container app, command and args"),
    "a variable as it is": ({"env": [{"name": "A", "value": "x" * TEXT_MAX_BYTES}]}, "container app, variable A"),
}


@pytest.mark.parametrize(("container", "subject"), GROWING.values(), ids=GROWING)
def test_what_grows_is_refused_before_it_is_there(container: dict[str, Any], subject: str) -> None:
    launched = [task(pod(container))]
    parse_launch([task(pod())], group=False)  # modules are loaded
    tracemalloc.start()
    try:
        with pytest.raises(InvalidTask) as caught:
            parse_launch(launched, group=False)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.subject == subject
    assert "larger than" in caught.value.message
    assert peak_bytes < 4 * CONTAINER_MAX_BYTES


def test_all_containers_of_a_pod_together() -> None:
    one = {"image": "app:1", "env": doubled(5), "args": ["$(A5)"] * 8}
    containers = [{"name": f"c{at}", **one} for at in range(3)]
    with pytest.raises(InvalidTask, match="of all containers are larger") as caught:
        parse_launch([task(pod(containers=containers))], group=False)
    assert caught.value.subject == "container c2"


def test_a_task_without_data_is_held_to_it_too() -> None:
    words = {"shell": False, "value": "true", "arguments": ["true", "x" * (TEXT_MAX_BYTES + 1)]}
    with pytest.raises(InvalidTask, match="cannot be executed"):
        parse_launch([task(command=words, container=with_image(), resources=[scalar("mem", 64)])], group=False)


def test_what_can_be_executed_passes() -> None:
    launch(env=doubled(5), args=["$(A5)"], command=["x" * (TEXT_MAX_BYTES - 1)])


def test_texts_of_objects_count() -> None:
    large = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "x" * TEXT_MAX_BYTES}}
    many = {**large, "data": {f"k{at}": "x" * (TEXT_MAX_BYTES // 2) for at in range(10)}}
    container = {"envFrom": [{"configMapRef": {"name": "c"}}]}
    parse_launch([task(with_objects(pod(), large))], group=False)
    with pytest.raises(InvalidTask, match="cannot be executed") as caught:
        parse_launch([task(with_objects(pod(container), large))], group=False)
    assert caught.value.subject == "container app, variable a"
    twice = {"envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "P_", "configMapRef": {"name": "c"}}]}
    with pytest.raises(InvalidTask, match="larger than 1048576 bytes together"):
        parse_launch([task(with_objects(pod(twice), many))], group=False)


def taken(data: dict[str, str], containers: int, **fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = [{"name": f"c{at}", "image": "app:1", **fields} for at in range(containers)]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data}
    return [task(with_objects(pod(containers=named), settings))]


KEY = {"valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}
MANY = {f"k{at}": "" for at in range(2_500)}


@pytest.mark.parametrize(
    ("launched", "subject", "words"),
    [
        (
            taken(MANY, 90, envFrom=[{"prefix": f"P{at}", "configMapRef": {"name": "c"}} for at in range(6)]),
            "spec.containers[0].envFrom[4]",
            "more than 10000 variables",
        ),
        (
            taken(MANY, 90, envFrom=[{"configMapRef": {"name": "c"}}]),
            "spec.containers[4].envFrom[0]",
            "10000 variables",
        ),
        (
            taken({"k": "x" * 700_000}, 1, env=[{"name": f"A{at}", **KEY} for at in range(900)]),
            "spec.containers[0].env[2]",
            "more than 2097152 bytes of variables",
        ),
    ],
)
def test_an_object_that_is_taken_again_and_again(launched: Any, subject: str, words: str) -> None:
    """Each is refused before its variables are made: that would take seconds, and hundreds of megabytes."""
    tracemalloc.start()
    try:
        with pytest.raises(InvalidTask, match=words) as caught:
            parse_launch(launched, group=False)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.subject == subject
    assert peak_bytes < 32 << 20


def test_an_object_that_many_containers_take_passes() -> None:
    (launched,) = taken({f"k{at}": "x" * 100 for at in range(100)}, 90, envFrom=[{"configMapRef": {"name": "c"}}])
    assert len(parse_launch([launched], group=False).containers[-1].env) == 100


def test_the_image_counts_too() -> None:
    with pytest.raises(InvalidTask, match="larger than"):
        command.check_process(["x"], ["A=" + "x" * 1000] * 1100, "container app")


def took_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


@pytest.mark.parametrize("unit", ["$(", "$", "$(A)", ")", "$$(", "$(A"], ids=repr)
def test_the_time_is_linear(unit: str) -> None:
    small, large = unit * 20_000, unit * 160_000
    small_s = min(took_s(lambda: expansion.expand(small, {})) for _ in range(3))
    assert min(took_s(lambda: expansion.expand(large, {})) for _ in range(2)) < 24 * small_s + 0.05
