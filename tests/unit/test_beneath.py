"""Paths below a directory, without openat2: as openat2 resolves them, where this kernel has it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import beneath

Outcome = str | int | None


def by_hand(top: int, path: str) -> Outcome:
    return _outcome(lambda: beneath.open_path(top, path))


def by_kernel(top: int, path: str) -> Outcome:
    return _outcome(lambda: beneath.open_below(top, path))


def _outcome(work: Callable[[], int]) -> Outcome:
    try:
        found = work()
    except OSError as error:
        return error.errno
    try:
        return str(Path(f"/proc/self/fd/{found}").readlink())
    finally:
        os.close(found)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    for name in ("etc", "real/deep"):
        (tmp_path / "image" / name).mkdir(parents=True)
    (tmp_path / "secret").touch()
    top = os.open(tmp_path / "image", os.O_PATH | os.O_DIRECTORY)
    yield tmp_path / "image", top
    os.close(top)


def test_links_stay_below_the_root(root: tuple[Path, int]) -> None:
    image, top = root
    (image / "real/passwd").touch()
    links = {
        "etc/passwd": "/real/passwd",
        "etc/relative": "../real/passwd",
        "etc/far": "../../../../../../real/passwd",
        "etc/secret": "../../secret",
        "etc/absolute": str(image.parent / "secret"),
        "up": "..",
        "etc/dir": "/real/deep/..",
        "etc/loop": "loop",
        "etc/magic": "/proc/self/root/etc/passwd",
    }
    for name, target in links.items():
        (image / name).symlink_to(target)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for path in ("etc/passwd", "etc/relative", "etc/far", "up/etc/passwd", "etc/dir/passwd", "/etc/./dir//passwd"):
        assert by_hand(top, path) == str(image / "real/passwd"), path
    for path in ("etc/secret", "etc/absolute", "etc/magic", "etc/none", "none/passwd"):
        assert by_hand(top, path) == errno.ENOENT, path
    assert by_hand(top, "etc/loop") == errno.ELOOP
    assert by_hand(top, "etc/passwd/x") == errno.ENOTDIR
    assert by_hand(top, "up") == by_hand(top, "..") == by_hand(top, "/") == str(image)
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_path_that_is_too_deep_is_refused(root: tuple[Path, int]) -> None:
    image, top = root
    deep = "/".join(["d"] * 300)
    (image / deep).mkdir(parents=True)
    assert by_hand(top, deep) == errno.ENAMETOOLONG
    assert by_hand(top, "d/d/../.." + "/etc") == str(image / "etc")


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # links that go round
        return False


NAMES = ["a", "b", "c"]
PARTS = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=4).map("/".join)
PATHS = st.builds(
    lambda slash, path, end: slash + path + end, st.sampled_from(["", "/"]), PARTS, st.sampled_from(["", "/"])
)


@given(
    st.lists(st.tuples(st.sampled_from(["file", "dir", "link"]), PARTS, PATHS), max_size=10),
    st.lists(PATHS, min_size=1),
)
def test_it_finds_what_the_kernel_finds(tree: list[tuple[str, str, str]], paths: list[str]) -> None:
    with TemporaryDirectory() as directory:
        for kind, name, target in tree:
            path = Path(directory, *(part for part in name.split("/") if part in NAMES))
            if path == Path(directory) or os.path.lexists(path) or not _is_directory(path.parent):
                continue
            if not str(path.parent.resolve()).startswith(directory):  # a link out of it
                continue
            match kind:
                case "file":
                    path.touch()
                case "dir":
                    path.mkdir()
                case "link":
                    path.symlink_to(target)
        top = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            for asked in paths:
                assert by_hand(top, asked) == by_kernel(top, asked), asked
        finally:
            os.close(top)
