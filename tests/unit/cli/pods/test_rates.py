"""What `top` shows of two looks at the usage of pods."""

from __future__ import annotations

from typing import Any

import pytest

from executor.cli.pods import rates, top

POD: dict[str, Any] = {
    "pod": "pod-1",
    "namespace": "default",
    "name": "web",
    "class": "regular",
    "role": "*",
    "state": "running",
    "status": "running",
    "reason": "",
    "cpus": 0.1,
    "mem_bytes": 1 << 20,
    "memory_bytes": None,
    "executor": "mixed",
    "container": "c",
    "cpu_usage_usec": None,
    "at_s": 1.0,
}
NETWORK = {"at_s": 1.0, "received_bytes": 0, "sent_bytes": 0, "received_dropped": 0, "sent_dropped": 0}
LATER = {**NETWORK, "at_s": 2.0, "received_bytes": 4096}


@pytest.mark.parametrize(
    ("before", "now", "shown"),
    [
        ({}, {}, (None, None, None)),
        ({"network": None}, {"network": None}, (None, None, None)),
        ({}, {"network": LATER}, (None, None, None)),
        ({"network": NETWORK}, {"network": LATER}, ("4 KiB", "0 B", "0")),
    ],
)
def test_the_network_of_a_pod_also_of_an_older_executor(
    before: dict[str, Any], now: dict[str, Any], shown: tuple[object, ...]
) -> None:
    picture = rates.usage({"pod-1": {**POD, **now}}, {"pod-1": {**POD, **before}})
    (row,) = picture["pods"]
    assert top._pod(row)[-4:-1] == shown


def test_top_names_the_executor_of_each_class_of_a_pair(capsys: pytest.CaptureFixture[str]) -> None:
    """On a narrow terminal too: else a pair has each class twice, and nothing says which is which."""
    from rich.console import Console

    kind = {"pods": 1, "cpus": 0.1, "mem_bytes": 1 << 20, "memory_bytes": 1 << 20, "cpus_used": 0.1}
    wait = {"some": {"avg10": 0.0}}
    pressure = {"cpu": wait, "memory": wait, "io": wait}
    names = ("mesos-pod-executor-regular", "mesos-pod-executor-revocable")
    rows = [{**kind, "class": "regular", "pressure": pressure, "executor": name} for name in names]
    for executors, shown in ((names, True), (names[:1], False)):
        picture = {"executors": list(executors), "classes": rows[: len(executors)], "pods": []}
        Console(width=80).print(top._drawn(picture, 80, 24))
        lines = capsys.readouterr().out.splitlines()
        assert all(len(line) <= 80 for line in lines)
        assert all(any(name in line for line in lines) is shown for name in executors)


def test_top_counts_one_pod_as_one() -> None:
    assert top._headline({"executors": ["a"], "pods": [{}]}).endswith("  1 pod, 1 executor")
    assert top._headline({"executors": [], "pods": []}).endswith("  0 pods, 0 executors")
