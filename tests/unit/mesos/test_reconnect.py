"""When the agent is tried again: soon, never later than its own limit allows, and not for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.mesos.reconnect import FIRST_PAUSE_S, REGISTRATION_S, Reconnect


def policy(*, checkpoint: bool = True, recovery_timeout_s: float = 900.0, backoff_max_s: float = 2.0) -> Reconnect:
    return Reconnect(
        0.0, checkpoint=checkpoint, recovery_timeout_s=recovery_timeout_s, subscription_backoff_max_s=backoff_max_s
    )


def test_the_first_try_after_a_loss_comes_within_a_tenth_of_a_second() -> None:
    reconnect = policy()
    for start in (0.0, 100.0, 200.0):
        reconnect.subscribed(start)
        for number in range(10):
            pause = reconnect.lost(start + 50 + number, 0.999)
            assert pause is not None
            assert number or pause <= FIRST_PAUSE_S


@given(
    st.floats(min_value=0.1, max_value=30), st.lists(st.floats(min_value=0, max_value=0.999), min_size=1, max_size=60)
)
def test_one_try_falls_into_every_window_that_the_agent_gives(backoff_max_s: float, chances: list[float]) -> None:
    reconnect = policy(backoff_max_s=backoff_max_s)
    reconnect.subscribed(0.0)
    for chance in chances:
        pause = reconnect.lost(10.0, chance)
        assert pause is not None
        assert 0 <= pause <= backoff_max_s / 2


def test_pauses_grow_to_half_the_limit() -> None:
    reconnect = policy()
    reconnect.subscribed(0.0)
    assert [reconnect.lost(9.0, 0.5) for _ in range(6)] == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5, 0.5])


def test_a_peer_that_breaks_at_once_is_not_tried_without_pause() -> None:
    reconnect = policy()
    pauses = []
    for number in range(5):
        reconnect.subscribed(float(number))
        pauses.append(reconnect.lost(number + 0.01, 0.5))
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.5])


def test_an_agent_that_answers_is_tried_soon_again() -> None:
    reconnect = policy()
    reconnect.subscribed(0.0)
    for _ in range(6):
        reconnect.lost(9.0, 0.5)
    reconnect.answered()
    assert reconnect.lost(9.0, 0.5) == pytest.approx(0.1)


def test_gives_up_after_the_recovery_timeout_counted_from_the_loss() -> None:
    reconnect = policy(recovery_timeout_s=60.0)
    reconnect.subscribed(0.0)
    assert reconnect.lost(1000.0, 0.5) is not None
    assert reconnect.lost(1059.9, 0.99) == pytest.approx(0.1)
    assert reconnect.lost(1060.0, 0.5) is None


def test_coming_back_starts_the_clock_anew() -> None:
    reconnect = policy(recovery_timeout_s=60.0)
    reconnect.subscribed(0.0)
    reconnect.lost(10.0, 0.5)
    reconnect.subscribed(65.0)
    assert reconnect.lost(80.0, 0.5) is not None
    assert reconnect.away_s(81.0) == 1.0


def test_without_checkpointing_a_lost_agent_is_the_end() -> None:
    reconnect = policy(checkpoint=False)
    reconnect.subscribed(0.0)
    assert reconnect.lost(0.5, 0.5) is None


def test_without_checkpointing_the_first_subscription_is_tried_for_the_time_the_agent_waits() -> None:
    reconnect = policy(checkpoint=False)
    assert reconnect.lost(0.0, 0.5) is not None
    assert reconnect.lost(REGISTRATION_S, 0.5) is None
