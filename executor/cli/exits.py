"""Exit codes of every command: stable, documented here once, shown by --help. Pure."""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

from executor.errors import ExecutorError, Failure, InvalidInput, NotFound, Refused


class Exit(IntEnum):
    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNREACHABLE = 5
    INVALID = 6
    INTERRUPTED = 130


MEANINGS: Final = MappingProxyType(
    {
        Exit.OK: "done",
        Exit.FAILURE: "the node or the executor could not do it, or not all of it",
        Exit.USAGE: "wrong options or arguments",
        Exit.NOT_FOUND: "no such executor, pod, container, file or revocation",
        Exit.REFUSED: "refused, for it would break a rule (a regular pod in a revocation)",
        Exit.UNREACHABLE: "the executor does not answer on its control socket",
        Exit.INVALID: "a file, the configuration or a request is not valid",
        Exit.INTERRUPTED: "interrupted by the user",
    }
)


class Unreachable(Failure):
    """The control socket is there, but there is no answer on it, or not in time."""


class Unreadable(Unreachable):
    """There is an answer, and it has not what a command needs of it."""


class Forbidden(Unreachable):
    """The control socket is there, and this user may not use it."""


def of(error: ExecutorError) -> Exit:
    """The exit code of a command that raised this error."""
    kinds = (
        (Unreachable, Exit.UNREACHABLE),
        (NotFound, Exit.NOT_FOUND),
        (Refused, Exit.REFUSED),
        (InvalidInput, Exit.INVALID),
    )
    return next((code for kind, code in kinds if isinstance(error, kind)), Exit.FAILURE)
