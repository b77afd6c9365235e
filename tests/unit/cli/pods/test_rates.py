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
