"""Files that change all at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from executor.spec.volume_files import VolumeFile
from executor.volumes import files


def target(link: Path) -> str:
    return str(link.readlink())


def content(directory: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in directory.iterdir():
        if not path.name.startswith(".."):
            found |= {
                str(each.relative_to(directory)): each.read_bytes()
                for each in ([path] if path.is_file() else path.rglob("*"))
                if each.is_file()
            }
    return found


def test_files_are_written_replaced_and_removed(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    files.write(volume, {"a": VolumeFile(b"1", 0o400), "d/e/f": VolumeFile(b"2", 0o644)})
    assert content(volume) == {"a": b"1", "d/e/f": b"2"}
    assert target(volume / "a") == "..data/a"
    assert target(volume / "d") == "..data/d"
    assert (volume / "a").stat().st_mode & 0o777 == 0o400
    assert (volume / "d/e").stat().st_mode & 0o7777 == files.DIRECTORY_MODE
    before = target(volume / files.DATA)
    files.write(volume, {"b": VolumeFile(b"3", 0o644), "d": VolumeFile(b"4", 0o644)})
    assert content(volume) == {"b": b"3", "d": b"4"}
    assert sorted(path.name for path in volume.iterdir()) == sorted(["b", "d", files.DATA, target(volume / files.DATA)])
    assert target(volume / files.DATA) != before


def test_nothing_is_a_volume_too(tmp_path: Path) -> None:
    files.write(tmp_path / "v", {})
    assert content(tmp_path / "v") == {}


def test_a_group_can_read_and_enter(tmp_path: Path) -> None:
    files.write(tmp_path / "v", {"d/a": VolumeFile(b"1", 0o400)}, os.getgid())
    assert (tmp_path / "v/d/a").stat().st_mode & 0o777 == 0o440
    assert (tmp_path / "v/d").stat().st_mode & 0o7777 == 0o2755


def test_what_fails_leaves_the_old_files(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    files.write(volume, {"a": VolumeFile(b"1", 0o644)})
    with pytest.raises(OSError, match="too long"):
        files.write(volume, {"x" * 300: VolumeFile(b"2", 0o644)})
    assert content(volume) == {"a": b"1"}
    assert len(list(volume.iterdir())) == 3


def test_a_reader_sees_old_files_or_new_ones(tmp_path: Path) -> None:
    """Two files that always agree, read through one open directory."""
    volume, torn, done = tmp_path / "v", [], threading.Event()
    files.write(volume, dict.fromkeys("ab", VolumeFile(b"0", 0o644)))

    def read() -> None:
        while not done.is_set():
            try:
                directory = os.open(volume / files.DATA, os.O_RDONLY)
            except FileNotFoundError:
                continue  # replaced between the look-up of the link and of what it names
            try:
                both = {Path(f"/proc/self/fd/{directory}/{name}").read_bytes() for name in "ab"}
                torn.extend([both] if len(both) != 1 else [])
            except FileNotFoundError:
                pass  # the old directory is gone, as a whole
            finally:
                os.close(directory)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        files.write(volume, dict.fromkeys("ab", VolumeFile(str(number).encode(), 0o644)))
    done.set()
    reader.join()
    assert not torn


@pytest.mark.parametrize("name", ["../outside", ".", "..", "a", "..data", ""])
def test_only_an_own_directory_of_old_files_is_removed(tmp_path: Path, name: str) -> None:
    """A container with the right to mount may exchange the link that names it."""
    volume, outside = tmp_path / "v", tmp_path / "outside"
    (outside / "d").mkdir(parents=True)
    files.write(volume, {"a": VolumeFile(b"1", 0o644)})
    (volume / files.DATA).unlink()
    if name:
        (volume / files.DATA).symlink_to(name)
    files.write(volume, {"a": VolumeFile(b"2", 0o644)})
    assert (volume / "a").read_bytes() == b"2"
    assert (outside / "d").is_dir()


def test_a_link_in_the_place_of_a_volume_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "v").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=r"[Nn]ot a directory|File exists"):
        files.write(tmp_path / "v", {"a": VolumeFile(b"1", 0o644)})
    assert list((tmp_path / "outside").iterdir()) == []


def test_files_at_any_depth_are_replaced_and_removed(tmp_path: Path) -> None:
    """Deeper than Python recurses."""
    volume = tmp_path / "v"
    deep = {f"a/{'d/' * 1500}{name}": VolumeFile(b"1", 0o644) for name in ("x", "y")}
    files.write(volume, {**deep, "a/b/c": VolumeFile(b"2", 0o644)})
    assert (volume / "a/b/c").read_bytes() == b"2"
    files.write(volume, {**deep, "b": VolumeFile(b"3", 0o644)})
    files.write(volume, {"b": VolumeFile(b"4", 0o644)})
    assert sorted(path.name for path in volume.iterdir()) == sorted(["b", files.DATA, target(volume / files.DATA)])
    assert (volume / "b").read_bytes() == b"4"


def test_the_version_that_is_shown_has_the_name_that_is_removed(tmp_path: Path) -> None:
    files.write(tmp_path / "v", {})
    assert files._VERSION.fullmatch(target(tmp_path / "v" / files.DATA))
