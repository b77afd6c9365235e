"""None of the kinds of pods that Kubernetes refuses is accepted, and each is named by its path."""

from __future__ import annotations

import pytest

from executor.errors import InvalidTask
from executor.spec.launch import parse_launch
from tests.unit.pod.samples import Document, task
from tests.unit.spec.kubernetes import invalid_placement, invalid_pods

INVALID = invalid_pods.INVALID | invalid_placement.INVALID
KINDS_MIN = 108


@pytest.mark.parametrize(("path", "document"), INVALID.values(), ids=INVALID)
def test_a_kind_of_invalid_pod(path: str, document: Document) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_launch([task(document)], group=False)
    assert [fault.subject for fault in caught.value.faults] == [path]
    assert str(caught.value).startswith(f"{path}: ")


def test_there_are_enough_kinds() -> None:
    assert len(INVALID) >= KINDS_MIN
