"""The group of every file of a volume."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executor.errors import Failure
from executor.volumes import ownership
from executor.volumes.ownership import Ownership


def run(job: Ownership) -> int:
    """How many turns it took."""
    turns = 1
    while not job.turn():
        turns += 1
    job.close()
    return turns


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "v/a/b").mkdir(parents=True)
    for name in ("f", "a/f", "a/b/f"):
        (tmp_path / "v" / name).touch(mode=0o600)
    (tmp_path / "outside").touch(mode=0o600)
    (tmp_path / "v/a/link").symlink_to(tmp_path / "outside")
    (tmp_path / "v").chmod(0o755)
    return tmp_path / "v"


def test_every_file_gets_the_rights_and_no_link_is_followed(volume: Path) -> None:
    run(Ownership(volume, os.getgid()))
    assert [mode(volume / name) for name in ("f", "a/f", "a/b/f")] == [0o660] * 3
    assert [mode(volume / name) for name in (".", "a", "a/b")] == [0o2775] * 3
    assert mode(volume.parent / "outside") == 0o600


def test_a_root_that_matches_is_left_alone(volume: Path) -> None:
    volume.chmod(0o2770)
    run(Ownership(volume, os.getgid(), on_root_mismatch=True))
    assert mode(volume / "f") == 0o600
    volume.chmod(0o700)
    run(Ownership(volume, os.getgid(), on_root_mismatch=True))
    assert (mode(volume / "f"), mode(volume)) == (0o660, 0o2770)


def test_the_root_comes_last_so_that_a_cut_off_try_is_made_again(volume: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "ENTRIES_A_TURN", 1)
    job = Ownership(volume, os.getgid(), on_root_mismatch=True)
    assert not job.turn()
    job.close()
    assert mode(volume) == 0o755
    assert run(Ownership(volume, os.getgid(), on_root_mismatch=True)) > 3
    assert mode(volume / "a/b/f") == 0o660


def test_what_is_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(ownership.DEPTH_MAX + 1):
        path /= "d"
    path.mkdir(parents=True)
    job = Ownership(tmp_path, os.getgid())
    with pytest.raises(Failure, match="deeper"):
        run(job)
    job.close()
