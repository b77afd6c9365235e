"""The work that would be lost: since the last change of a file that is the pod's own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from executor.own_directory import OwnDirectory
from executor.revocation.lost_work import lost_work_s
from executor.spec.checkpoint import CHECKPOINT_KEY

AGE_S = 600.0


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    OwnDirectory(str(tmp_path), "pods", "pod-1").make()
    path = tmp_path / "pods/pod-1/volumes/work"
    path.mkdir(parents=True)
    return path


def lost(volume: Path, text: str = "work/state") -> float:
    files = OwnDirectory(str(volume.parents[3]), "pods", "pod-1")
    pod: Any = SimpleNamespace(spec=SimpleNamespace(annotations={CHECKPOINT_KEY: text}), files=files, age_s=AGE_S)
    return lost_work_s(pod)


def saved(path: Path, ago_s: float) -> None:
    path.write_text("")
    os.utime(path, (time.time() - ago_s, time.time() - ago_s))


def test_it_is_what_came_after_the_checkpoint(volume: Path) -> None:
    assert lost(volume) == AGE_S
    saved(volume / "state", 60)
    assert lost(volume) == pytest.approx(60, abs=5)
    assert lost(volume, "nonsense") == AGE_S


@pytest.mark.parametrize(("ago_s", "counts"), [(-1e6, 0.0), (1e6, AGE_S)])
def test_a_time_that_cannot_be_counts_as_the_nearest_that_can(volume: Path, ago_s: float, counts: float) -> None:
    saved(volume / "state", ago_s)
    assert lost(volume) == counts


def test_a_link_leads_nowhere_outside_of_the_volume(volume: Path, tmp_path: Path) -> None:
    saved(tmp_path / "secret", 60)
    (volume / "state").symlink_to(tmp_path / "secret")
    assert lost(volume) == AGE_S
    (volume / "state").unlink()
    (volume / "state").symlink_to("../../../../secret")
    assert lost(volume) == AGE_S
    (volume.parent / "other").symlink_to(tmp_path)
    assert lost(volume, "other/secret") == AGE_S
