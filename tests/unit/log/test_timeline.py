"""Which events tell the story of a task."""

from __future__ import annotations

from typing import Any

import pytest

from executor.errors import InvalidRequest
from executor.log.timeline import collapsed, timeline


def journal(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"seq": seq, "time": f"2026-01-01T00:00:{seq:02}.000Z", "level": "info", "message": "", **event}
        for seq, event in enumerate(events, start=1)
    ]


STORY = journal(
    {"code": "containerd.resync"},
    {"code": "pod.accepted", "pod": "pod-1", "task": "batch", "tasks": ["batch", "second"], "name": "etl"},
    {"code": "pod.accepted", "pod": "pod-2", "task": "web", "tasks": ["web"]},
    {"code": "pod.running", "pod": "pod-1", "task": "batch"},
    {"code": "pressure.high", "what": "memory"},
    {"code": "revocation.started", "revocation": "r-1", "reason": "spark"},
    {"code": "revocation.started", "revocation": "r-2"},
    {"code": "revocation.victim", "revocation": "r-1", "pod": "pod-1"},
    {"code": "revocation.victim", "revocation": "r-1", "pod": "pod-9"},
    {"code": "pod.leaked", "container": "pod-1-app"},
    {"code": "pod.ended", "pod": "pod-1", "task": "batch"},
    {"code": "containerd.resync"},
    {"code": "pod.refused", "tasks": ["bad"]},
)
WHOLE = [2, 4, 5, 6, 8, 10, 11]


def seqs(text: str) -> list[int]:
    return [event["seq"] for event in timeline(STORY, text)]


def test_a_task_by_any_of_its_names() -> None:
    assert all(seqs(text) == WHOLE for text in ("batch", "second", "pod-1", "etl"))


def test_a_beginning_that_several_ids_have_is_no_name() -> None:
    assert seqs("1") == WHOLE
    for text in ("pod-", ""):
        with pytest.raises(InvalidRequest, match="matches 3 pods"):
            timeline(STORY, text)


def test_times_count_from_the_launch() -> None:
    assert [event["since_ms"] for event in timeline(STORY, "batch")][:2] == [0.0, 2000.0]


def test_a_refused_task_has_a_story_too() -> None:
    assert seqs("bad") == [13]


def test_one_that_lives_hears_of_the_node_until_now() -> None:
    assert 12 in seqs("web") and 1 not in seqs("web")


def test_the_newest_pod_of_a_task_that_was_launched_again() -> None:
    again = journal(
        {"code": "pod.accepted", "pod": "pod-1", "task": "t"}, {"code": "pod.accepted", "pod": "pod-2", "task": "t"}
    )
    assert [event["pod"] for event in timeline(again, "t")] == ["pod-2"]


def test_nobody() -> None:
    assert timeline(STORY, "nobody") == [] == timeline([], "batch")


def test_what_ps_prints_names_a_pod_too() -> None:
    events = journal(
        {"code": "pod.accepted", "pod": "pod-12ab", "task": "t", "name": "web", "namespace": "shop"},
        {"code": "pod.running", "pod": "pod-12ab", "task": "t"},
        {"code": "pod.accepted", "pod": "pod-34cd", "task": "u", "name": "pod-12", "namespace": "shop"},
    )
    for text in ("shop/web", "pod-12a", "12ab"):
        assert [event["seq"] for event in timeline(events, text)] == [1, 2], text
    assert [event["seq"] for event in timeline(events, "pod-12")] == [3], "a whole name goes before a beginning"


CRASHES = [
    event
    for number in range(30)
    for event in (
        {"code": "pod.container_exited", "container": "app", "exit_code": 3 if number < 20 else 4},
        {"code": "pod.restarting", "container": "app", "exit_code": 3 if number < 20 else 4, "count": number},
    )
]


def test_repeated_faults_become_few_lines() -> None:
    events = [{**event, "since_ms": 1000.0 * seq} for seq, event in enumerate(journal(*CRASHES), 1)]
    shown = collapsed(events)
    assert [(each.event["seq"], each.count) for each in shown] == [
        (1, 1), (2, 1), (39, 19), (40, 19), (41, 1), (42, 1), (59, 9), (60, 9),
    ]  # fmt: skip
    assert shown[2].first_ms == 3000.0, "those that are left out begin with the second"
    assert sum(each.count for each in shown) == len(events)


def test_what_is_told_a_few_times_stays_as_it_is() -> None:
    events = [{**event, "since_ms": 0.0} for event in journal(*CRASHES[:6])]
    assert [each.event["seq"] for each in collapsed(events)] == [1, 2, 3, 4, 5, 6]
