"""Trees of files as foreign programs leave them: any depth, any names."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

LONG = b"n" * 255
_RESERVED = (b".", b"..")
NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in _RESERVED
)
TREES = st.recursive(st.sampled_from(["file", "link", "fifo"]), lambda inner: st.dictionaries(NAMES, inner, max_size=5))


def build(path: Path, tree: object) -> None:
    """A mapping is a directory; else "file", "link" or "fifo"."""
    if isinstance(tree, Mapping):
        path.mkdir()
        for name, inner in tree.items():
            build(path / os.fsdecode(name), inner)
    elif tree == "link":
        path.symlink_to("..")
    elif tree == "fifo":
        os.mkfifo(path)
    else:
        path.touch()


def nest(path: Path, depth: int, name: bytes = b"d") -> None:
    """`depth` directories one in the other, and a file in the last: deeper than any path can name."""
    path.mkdir()
    fd = os.open(path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


def descriptors() -> list[int]:
    """Those that this process has open, and the one that lists them."""
    return sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())


@contextmanager
def few_descriptors(more: int) -> Iterator[None]:
    """No more than `more` further ones can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors()[-1] + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
