"""A part of a volume never is anything outside of it."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import threading
from pathlib import Path

import pytest

from executor.own_directory import Opened
from executor.volumes import sub_path


def found(volume: Path, part: str, *, make: bool = True) -> Path:
    with Opened(os.open(volume, os.O_PATH)) as root, Opened(sub_path.open_part(root, part, make=make)) as fd:
        return Path(f"/proc/self/fd/{fd}").readlink()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    (tmp_path / "outside/secret").mkdir(parents=True)
    (tmp_path / "v/real").mkdir(parents=True)
    (tmp_path / "v/file").write_text("x")
    return tmp_path / "v"


def test_what_is_there(volume: Path) -> None:
    assert found(volume, "") == volume
    assert found(volume, "real") == volume / "real"
    assert found(volume, "file") == volume / "file"


def test_what_is_not_there_is_made_with_the_mode_of_the_root(volume: Path) -> None:
    volume.chmod(0o2775)
    assert found(volume, "real/a/b") == volume / "real/a/b"
    assert [(volume / path).stat().st_mode & 0o7777 for path in ("real/a", "real/a/b")] == [0o2775, 0o2775]
    with pytest.raises(FileNotFoundError):
        found(volume, "none", make=False)


@pytest.mark.parametrize("target", ["../outside", "{outside}", "real/../../outside", "../../../../../..{outside}"])
@pytest.mark.parametrize("part", ["link", "link/secret", "link/new/dir"])
def test_links_stay_in_the_volume(volume: Path, target: str, part: str) -> None:
    (volume / "link").symlink_to(target.format(outside=volume.parent / "outside"))
    before = sorted(volume.parent.rglob("outside/**"))
    with contextlib.suppress(OSError):  # a link that leads nowhere
        assert found(volume, part).is_relative_to(volume)
    assert sorted(volume.parent.rglob("outside/**")) == before


def test_a_link_that_leads_nowhere_is_not_followed(volume: Path) -> None:
    (volume / "link").symlink_to("nowhere")
    with pytest.raises(OSError, match=r"[Nn]ot a directory"):
        found(volume, "link/x")
    assert not (volume / "nowhere").exists()


def test_a_file_has_no_parts(volume: Path) -> None:
    with pytest.raises(NotADirectoryError):
        found(volume / "file", "x")
    with pytest.raises(NotADirectoryError):
        found(volume, "file/x")


def test_a_directory_that_is_swapped_for_a_link_leads_nowhere_else(volume: Path) -> None:
    """What a container can do to its own volume, as fast as it can."""
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):  # the part that is made meanwhile may be in the way
                (volume / "a").rename(volume / "b")
                (volume / "a").symlink_to(volume.parent / "outside")
                (volume / "a").unlink()
            shutil.rmtree(volume / "b", ignore_errors=True)

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen = set()
    for number in range(2000):
        try:
            seen.add(found(volume, f"a/part{number % 3}").is_relative_to(volume))
        except OSError:
            seen.add(True)
    done.set()
    swapper.join()
    assert seen == {True}
    assert [path.name for path in (volume.parent / "outside").iterdir()] == ["secret"]


def test_a_deep_part_is_made_with_few_descriptors(tmp_path: Path) -> None:
    """Each pod of the node needs some: one pod's subPath must not use them up."""
    root = os.open(tmp_path, os.O_PATH)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (root + 20, before[1]))
    try:
        os.close(sub_path.open_part(root, "/".join(["d"] * 500)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        os.close(root)
    assert tmp_path.joinpath(*["d"] * 500).is_dir()
