"""What selection is told of a pod: how much it uses beyond what it was to use, and whether it ends already."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from executor.names import PodClass, RevocationId
from executor.revocation.candidates import candidates
from executor.revocation.request import Reclaim, Request, Select
from executor.spec.model import ContainerKind, Limits

MIB = 1 << 20


def runner(used_mib: int, *requests_mib: int | None, held_mib: int = 0, is_stopping: bool = False) -> Any:
    """As much of a pod as is asked."""
    requests = [Limits(memory_bytes=None if mib is None else mib * MIB) for mib in requests_mib]
    spec = SimpleNamespace(
        task_ids=("t",),
        pod_class=PodClass.REVOCABLE,
        role="*",
        labels={"b": "2", "a": "1"},
        annotations={},
        priority=3,
        resources=SimpleNamespace(cpus=0.5, mem_bytes=held_mib * MIB),
        containers=[SimpleNamespace(kind=ContainerKind.MAIN, requests=each) for each in requests],
    )
    measured: list[int] = []
    return SimpleNamespace(
        id="pod-1",
        spec=spec,
        is_stopping=is_stopping,
        age_s=90.0,
        measured=measured,
        measure=lambda: measured.append(1) or used_mib * MIB,  # type: ignore[func-returns-value]
    )


def request(want: Select | Reclaim) -> Request:
    return Request(RevocationId("r"), "", want, 0.0)


@pytest.mark.parametrize(
    ("pod", "overshoot"),
    [
        (runner(150, 60, 40), 0.5),
        (runner(80, 60, 40), 0.0),
        (runner(150, 60, None, held_mib=100), 0.5),  # one that asks for nothing: what its task holds
        (runner(150, held_mib=0), 0.0),
    ],
)
def test_overshoot_is_use_beyond_what_was_requested(pod: Any, overshoot: float) -> None:
    (found,) = candidates(request(Reclaim(cpus=1)), [pod])
    assert found.overshoot == pytest.approx(overshoot)
    assert (found.priority, found.cpus, found.labels) == (3, 0.5, (("a", "1"), ("b", "2")))
    assert found.lost_work_s == 90.0


def test_a_selection_by_name_measures_nothing() -> None:
    pod = runner(150, 60, 40)
    (found,) = candidates(request(Select(everything=True)), [pod])
    assert found.overshoot == 0 and pod.measured == []


def test_one_that_was_asked_to_end_is_marked() -> None:
    assert [each.ending for each in candidates(request(Reclaim(cpus=1)), [runner(1), runner(1, is_stopping=True)])] == [
        False,
        True,
    ]
