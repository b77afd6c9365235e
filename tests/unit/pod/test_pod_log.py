"""The lines of the log that tell of a pod's containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from executor.log import add_sink, get_logger
from executor.pod.life.model import Phase
from executor.pod.pod_log import note_restarts
from tests.unit.pod.lives import running


def test_a_crash_loop_is_a_warning_from_the_third_restart_on() -> None:
    """Who follows the warnings of a node sees it."""
    seen: list[dict[str, Any]] = []
    remove = add_sink(lambda record: seen.append(dict(record)))
    before = running()
    for restarts in range(4):
        waits = replace(before.containers["app"], phase=Phase.BACKING_OFF, restarts=restarts, exit_code=3)
        note_restarts(get_logger(__name__), before, replace(before, containers={"app": waits}))
    remove()
    assert [(each["count"], each["level"]) for each in seen] == [
        (0, "info"), (1, "info"), (2, "warning"), (3, "warning"),
    ]  # fmt: skip
