"""The lock of a lender's directory, and small files that are replaced in one step."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor.errors import Failure, Refused, reason

_LOCK: Final = "lender.lock"


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Two lenders would offer the same twice. Raises Refused, Failure."""
    path = directory / _LOCK
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise Failure(reason(error), subject=str(path), hint="run as root; see [node] state_dir") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Refused("another lender runs on this node", subject=str(path), hint="one is enough") from error
    finally:
        os.close(descriptor)


def read(path: Path) -> str:
    """Empty without a file. Raises Failure."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    except OSError as error:
        raise Failure(reason(error), subject=str(path)) from error


def write(path: Path, text: str) -> None:
    """In one step. Raises Failure."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise Failure(reason(error), subject=str(path)) from error
