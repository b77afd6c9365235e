"""gRPC's errors become the executor's here and nowhere else. Pure."""

from __future__ import annotations

from executor.errors import ContainerdFailure, ContainerdUnavailable, ExecutorError, NotFound


class AlreadyExists(ContainerdFailure):
    """An object of that name is there already; nothing was changed."""


# Status code names, so that this module does not load gRPC. CANCELLED comes from a containerd that is shutting down.
_CLASSES: dict[str, type[ExecutorError]] = {
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "UNAVAILABLE": ContainerdUnavailable,
    "DEADLINE_EXCEEDED": ContainerdUnavailable,
    "CANCELLED": ContainerdUnavailable,
}
# containerd appends its error class to every message (errdefs), which the class of our error says already.
_DENIED = "Permission denied"
_SUFFIXES = (": not found", ": already exists", ": unknown", ": unavailable", ": failed precondition")


def translate(code: str, details: str, *, method: str, subject: str, socket: str) -> ExecutorError:
    """The executor's error for gRPC status `code` (its name, as in NOT_FOUND) of a call of `method` about `subject`."""
    kind = _CLASSES.get(code, ContainerdFailure)
    if kind is ContainerdUnavailable and details.endswith(_DENIED):
        return kind(f"cannot be used: {_DENIED}", subject=socket, hint="run as root")
    text = details or code.lower().replace("_", " ")
    for suffix in _SUFFIXES:
        text = text.removesuffix(suffix)
    if code == "DEADLINE_EXCEEDED":
        text = "containerd did not answer in time"
    hint = f"is containerd running and listening on {socket}?" if kind is ContainerdUnavailable else ""
    return kind(f"{method}: {text}", subject=subject or socket, hint=hint)


def closed(method: str, *, subject: str, socket: str) -> ContainerdUnavailable:
    """For a call that found the connection closed by ourselves, or had it closed while it was waiting."""
    return ContainerdUnavailable(f"{method}: the connection to {socket} was closed", subject=subject)
