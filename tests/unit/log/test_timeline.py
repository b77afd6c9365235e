"""Which events tell the story of a task."""

from __future__ import annotations

from typing import Any

from executor.log.timeline import timeline


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
