"""What is used up on the node or in this process: described in the same words everywhere, and never as a defect.

Threads and processes (EAGAIN, Python's "can't start new thread"), memory, descriptors and space on a disk run out in
calls of every kind. Code that can say more of such a failure translates it where it enters. An unexpected one comes to
a boundary (of a pod, an event, a request), which asks here before it calls it a defect.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from executor.errors import Failure, words
from executor.log import Logger

_NO_THREAD: Final = "can't start new thread"


class Exhausted(Failure):
    """Worth another try, here later or on another node."""


class _Words(NamedTuple):
    what: str
    hint: str


_WORDS: Final[Mapping[int, _Words]] = MappingProxyType(
    {
        errno.EAGAIN: _Words(
            "no process or thread can be started",
            "see pids.max of the cgroups above the executor, ulimit -u, and kernel.threads-max",
        ),
        errno.ENOMEM: _Words(
            "no memory is left for it", "see the memory limit of the executor's container, and the node's memory"
        ),
        errno.EMFILE: _Words(
            "the executor has no file descriptor left", "raise ulimit -n of the agent, whose executors inherit it"
        ),
        errno.ENFILE: _Words("the node has no file descriptor left", "see fs.file-max in sysctl"),
        errno.ENOSPC: _Words("no space is left", "make room on the disk, or in the memory of a tmpfs"),
        errno.EDQUOT: _Words("the disk quota is used up", "make room, or raise the quota"),
    }
)


def translated(error: BaseException, *, subject: str = "") -> Exhausted | None:
    """None: it is something else. `subject` is for an error that names no file itself."""
    number = _number(error)
    if number not in _WORDS:
        return None
    known = _WORDS[number]
    where = getattr(error, "filename", None)
    return Exhausted(f"{known.what}: {words(error)}", subject=subject if where is None else str(where), hint=known.hint)


def tell(log: Logger, error: BaseException) -> Exhausted | None:
    """At a boundary: as `translated`, and logged. None: nothing is logged, and it is a defect."""
    found = translated(error)
    if found is not None:
        log.warning("something is used up", code="node.exhausted", error=found)
    return found


def _number(error: BaseException) -> int:
    if isinstance(error, OSError):
        return error.errno or 0
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    return errno.EAGAIN if isinstance(error, RuntimeError) and str(error) == _NO_THREAD else 0


def of_pod(log: Logger, error: Exception) -> Failure:
    """At the boundary of a pod, while `error` is handled: logged as what it is; returns what Mesos hears."""
    found = tell(log, error)
    if found is not None:
        return found
    log.exception("defect in the executor", code="pod.defect")  # noqa: LOG004 # called by an exception's handler
    problem = f"a defect of the executor: {type(error).__name__}: {error}"
    return Failure(problem, hint="report it with the executor's log")
