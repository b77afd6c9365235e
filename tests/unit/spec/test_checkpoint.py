"""Where a pod says that its work is saved."""

from __future__ import annotations

import pytest

from executor.errors import InvalidTask
from executor.spec import checkpoint
from executor.spec.checkpoint import CHECKPOINT_KEY
from executor.spec.volume_model import EmptyDir, HostPath, Volume

VOLUMES: list[Volume] = [EmptyDir("work"), EmptyDir("fast", in_memory=True), HostPath("node", "/srv")]


def test_a_file_in_an_empty_dir() -> None:
    checkpoint.check({CHECKPOINT_KEY: "work/a/state"}, VOLUMES)
    assert checkpoint.of({CHECKPOINT_KEY: "work/a/state"}) == ("work", "a/state")
    checkpoint.check({}, [])
    assert checkpoint.of({}) is None


@pytest.mark.parametrize(
    "text",
    ["", "work", "work/", "/state", "work/../x", "work/./x", "work//x", "work/a\0b", "fast/x", "node/x", "other/x"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidTask) as error:
        checkpoint.check({CHECKPOINT_KEY: text}, VOLUMES)
    assert error.value.subject == "metadata.annotations['mesos-pod-executor/checkpoint']" and error.value.hint
