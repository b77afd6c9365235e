"""When an image is pulled."""

from __future__ import annotations

import pytest

from executor.images.policy import PullPolicy, back_off_s, default_policy

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("busybox", PullPolicy.ALWAYS),
        ("busybox:latest", PullPolicy.ALWAYS),
        ("r.example:5000/busybox", PullPolicy.ALWAYS),
        ("busybox:1.36", PullPolicy.IF_NOT_PRESENT),
        (f"busybox@{DIGEST}", PullPolicy.IF_NOT_PRESENT),
        (f"busybox:latest@{DIGEST}", PullPolicy.IF_NOT_PRESENT),
    ],
)
def test_the_default_goes_by_the_tag(name: str, policy: PullPolicy) -> None:
    assert default_policy(name) is policy


def test_the_back_off_doubles_up_to_five_minutes() -> None:
    assert [back_off_s(failures) for failures in range(1, 8)] == [10, 20, 40, 80, 160, 300, 300]
    assert back_off_s(10_000) == 300


def test_the_registry_may_ask_for_more_time_within_limits() -> None:
    assert back_off_s(1, retry_after_s=60) == 60
    assert back_off_s(1, retry_after_s=5) == 10
    assert back_off_s(1, retry_after_s=1e9) == 300
