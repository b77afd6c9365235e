"""Agents with cgroups2, which end all pods at the OOM of one unless the kernel counts it in its own group only."""

from __future__ import annotations

import pytest

from cgroups import Mode
from executor.doctor.memory_events import judge

V2 = "sysfs /sys sysfs rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nsdelegate,memory_recursiveprot{} 0 0\n"


@pytest.mark.parametrize("isolation", ["cgroups/cpu,cgroups/mem", "cgroups/all"])
def test_an_agent_that_watches_the_container(isolation: str) -> None:
    (found,) = judge({"isolation": isolation}, Mode.V2, V2.format(""))
    assert found.verdict == "fail" and "memory_localevents" in found.hint
    (found,) = judge({"isolation": isolation}, Mode.V2, V2.format(",memory_localevents"))
    assert found.verdict == "pass"


@pytest.mark.parametrize(
    ("isolation", "mode"), [("posix/cpu,posix/mem", Mode.V2), ("cgroups/cpu", Mode.V2), ("cgroups/mem", Mode.HYBRID)]
)
def test_an_agent_that_does_not(isolation: str, mode: Mode) -> None:
    assert judge({"isolation": isolation}, mode, V2.format("")) == []
