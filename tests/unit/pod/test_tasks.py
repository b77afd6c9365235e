"""Patience with a containerd that restarts."""

from __future__ import annotations

import pytest

from executor.concurrency import patiently
from executor.errors import ContainerdFailure, ContainerdUnavailable


class Flaky:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


async def test_it_is_tried_again_until_containerd_is_back() -> None:
    work = Flaky(ContainerdUnavailable("away"), ContainerdUnavailable("away"))
    assert await patiently(work, patience_s=5, pause_s=0) == "done"
    assert work.calls == 3


async def test_patience_ends_and_other_failures_are_final() -> None:
    with pytest.raises(ContainerdUnavailable):
        await patiently(Flaky(*[ContainerdUnavailable("away")] * 9), patience_s=-1, pause_s=0)
    failing = Flaky(ContainerdFailure("no"))
    with pytest.raises(ContainerdFailure):
        await patiently(failing, patience_s=5, pause_s=0)
    assert failing.calls == 1
