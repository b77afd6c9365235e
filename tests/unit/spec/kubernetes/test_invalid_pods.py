"""None of the kinds of pods that Kubernetes refuses is accepted, and each is named by its path."""

from __future__ import annotations

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from tests.support.cases import check_each
from tests.unit.pod.samples import Document, task
from tests.unit.spec.kubernetes import invalid_placement, invalid_pods

INVALID = invalid_pods.INVALID | invalid_placement.INVALID
KINDS_MIN = 108


def test_every_kind_of_invalid_pod() -> None:
    check_each(INVALID, is_refused)


def is_refused(kind: tuple[str, Document]) -> None:
    path, document = kind
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(document)], group=False)
    assert [fault.subject for fault in caught.value.faults] == [path]
    assert str(caught.value).startswith(f"{path}: ")


def test_there_are_enough_kinds() -> None:
    assert len(INVALID) >= KINDS_MIN
