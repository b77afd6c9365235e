"""The lock of a lender's directory, small files that are replaced in one step, and word to systemd."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from executor.errors import Failure, Refused, reason

_LOCK: Final = "lender.lock"
_LOOK_S: Final = 0.5


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
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    """Patient for a moment: a command that looks whether a lender runs holds it for less. Raises Refused."""
    deadline = time.monotonic() + _LOOK_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                message = "another lender runs on this node"
                raise Refused(message, subject=str(path), hint="one is enough") from error
        time.sleep(0.02)


def is_held(directory: Path) -> bool:
    """Whether a lender runs that keeps its accounts there. Raises OSError if the lock cannot be tried."""
    try:
        descriptor = os.open(directory / _LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


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
        new.touch(mode=0o600)
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise Failure(reason(error), subject=str(path)) from error


def notify(text: str) -> None:
    """Tell systemd, as sd_notify(3) does; without systemd nothing is done. The lender that hangs is then killed before
    the agent, which waits 20 s for an answer of the resource provider, destroys an executor.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)
