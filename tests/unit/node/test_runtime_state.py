"""What runc left of a container: removed when nothing works on it, and nothing else is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from executor.node import runtime_state

NAMESPACE, CONTAINER = "pods", "pod-0123456789ab-app"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = runtime_state.path(NAMESPACE, CONTAINER, tmp_path)
    found.mkdir(parents=True)
    (found / "state.json").write_text("{}")
    return found


def test_an_abandoned_one_is_removed(directory: Path, tmp_path: Path) -> None:
    beside = directory.with_name("pod-0123456789ab-other")
    beside.mkdir()
    assert runtime_state.exists(NAMESPACE, CONTAINER, tmp_path)
    assert runtime_state.remove_abandoned(NAMESPACE, CONTAINER, tmp_path)
    assert not directory.exists() and beside.exists()
    assert runtime_state.remove_abandoned(NAMESPACE, CONTAINER, tmp_path), "and once more"


def test_one_that_a_runc_works_on_stays(directory: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-c", "input()", "create", CONTAINER]
    with subprocess.Popen(line, stdin=subprocess.PIPE) as runc:
        deadline = time.monotonic() + 5
        while runtime_state.workers(CONTAINER) != [runc.pid] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert runtime_state.workers(CONTAINER) == [runc.pid]
        assert not runtime_state.remove_abandoned(NAMESPACE, CONTAINER, tmp_path) and directory.exists()
        runc.kill()
    assert runtime_state.remove_abandoned(NAMESPACE, CONTAINER, tmp_path) and not directory.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x"])
def test_what_is_no_name_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a name"):
        runtime_state.path(NAMESPACE, name, tmp_path)
