"""Which logs of ended pods go: never the newest for age or space, and the count is exact."""

from __future__ import annotations

from executor.config.retention import RetentionSection
from executor.output.retention import Kept, Space, to_remove

PLENTY = Space(free_bytes=100, total_bytes=100)
LIMITS = RetentionSection(most_pods=5, age_s=100, free_percent=10, least_pods=2)


def kept(*ended_s: float) -> list[Kept]:
    return [Kept(f"pod-{index}", at_s, 10) for index, at_s in enumerate(ended_s)]


def removed(
    pods: list[Kept], limits: RetentionSection, now_s: float = 0, space: Space = PLENTY
) -> list[tuple[str, str]]:
    return [(each.pod, reason) for each, reason in to_remove(pods, limits, now_s, space)]


def test_the_oldest_go_by_count() -> None:
    assert removed(kept(*[0.0] * 7), LIMITS) == [("pod-0", "count"), ("pod-1", "count")]
    assert removed(kept(*[0.0] * 5), LIMITS) == []


def test_the_old_go_but_the_newest_stay_whatever_their_age() -> None:
    assert removed(kept(0, 50, 0, 0), LIMITS, now_s=120) == [("pod-0", "age")]
    assert removed(kept(0, 0, 0, 0), LIMITS, now_s=1e6) == [("pod-0", "age"), ("pod-1", "age")]


def test_no_more_go_than_make_room() -> None:
    assert removed(kept(0, 0, 0, 0, 0), LIMITS, space=Space(75, 1000)) == [
        ("pod-0", "space"),
        ("pod-1", "space"),
        ("pod-2", "space"),
    ]
    assert removed(kept(0, 0, 0, 0, 0), LIMITS, space=Space(95, 1000)) == [("pod-0", "space")]


def test_zero_is_no_limit_but_for_the_count() -> None:
    free = RetentionSection(most_pods=5, age_s=0, free_percent=0, least_pods=0)
    assert removed(kept(0, 0), free, now_s=1e9, space=Space(0, 1000)) == []
    assert len(removed(kept(0, 0), RetentionSection(most_pods=0, age_s=0, free_percent=0, least_pods=2))) == 2
