"""Every error the executor raises on purpose, and what Mesos receives.

    ExecutorError
    ├── InvalidInput            the input cannot work; nothing was changed
    │   ├── InvalidTask         a TaskInfo, its data or a pod: names the field
    │   │   ├── Forbidden       the policy of the pod's role does not allow it on this node
    │   │   └── FaultyTask      several of them
    │   ├── InvalidConfig       the configuration file, the environment or a CNI configuration
    │   └── InvalidRequest      a framework message, a control socket request, a revocation
    ├── Refused                 a valid request that would break an invariant (a regular pod in the revoked set)
    ├── NotFound                the object that was named is not there
    └── Failure                 the node could not do it; the message says what, which object, and what to do
        ├── ImageFailure
        ├── ContainerdFailure   └── ContainerdUnavailable (worth a retry)
        ├── NetworkFailure
        ├── CgroupFailure
        ├── TimedOut
        └── MesosFailure

Foreign errors (gRPC, OSError, a CNI plugin's JSON) are translated once, where they enter, with `raise ... from error`.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

MESSAGE_MAX: Final = 2000
NAME_MAX: Final = 500
"""Letters of a message, and of what it is about: they hold words of manifests, plugins and programs, and go into
statuses, log lines and answers.
"""
MORE_MAX: Final = 1300
FAULT_MAX: Final = 300
"""Letters of all further faults in the message of a FaultyTask, and of one of them."""
_ALL: Final = "correct the task: mesos-pod-executor validate FILE lists all"
_COUNT_MAX: Final = 100
"""Letters of what says how many there are."""
_NO_DESCRIPTOR: Final[Mapping[int, str]] = MappingProxyType(
    {
        errno.EMFILE: "no file descriptor left: raise ulimit -n",
        errno.ENFILE: "no file descriptor left: see fs.file-max in sysctl",
    }
)
"""Any file fails so. The words of the system alone would point at that file."""


def words(error: BaseException) -> str:
    """What the system says of a failure; never empty, never None."""
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def reason(error: BaseException) -> str:
    """The words of a failure, with what to do where no descriptor is left. Its file is for the caller to name."""
    more = _NO_DESCRIPTOR.get(error.errno or 0) if isinstance(error, OSError) else None
    return f"{words(error)}, {more}" if more else words(error)


class ExecutorError(Exception):
    """`message` says what went wrong; `subject` names the object or field; `hint` what a person can do about it."""

    mesos_reason: str = "REASON_CONTAINER_LAUNCH_FAILED"

    def __init__(self, message: str, *, subject: str = "", hint: str = "") -> None:
        self.message = clipped(message, MESSAGE_MAX)
        self.subject = clipped(subject, NAME_MAX)
        self.hint = clipped(hint, NAME_MAX)
        super().__init__(self.message)

    def __str__(self) -> str:
        text = f"{self.subject}: {self.message}" if self.subject else self.message
        return f"{text} ({self.hint})" if self.hint else text


def clipped(text: str, most: int) -> str:
    """Beginning and end of a text that is longer than `most` letters, and how many are missing."""
    if len(text) <= most:
        return text
    left = most * 3 // 4
    right = most - left
    return f"{text[:left]} [... {len(text) - most} letters ...] {text[-right:]}"


class InvalidInput(ExecutorError):
    mesos_reason = "REASON_TASK_INVALID"


class InvalidTask(InvalidInput):
    """`subject` is the path of the field, as in `spec.containers[0].image`."""

    @property
    def faults(self) -> tuple[InvalidTask, ...]:
        """Each fault of the task as an error of its own: this one, or all of a FaultyTask."""
        return (self,)


class Forbidden(InvalidTask):
    mesos_reason = "REASON_TASK_UNAUTHORIZED"


class FaultyTask(InvalidTask):
    """Several faults of one description. Its message holds the first, and as many of the others as fit; its reason is
    that of the first.
    """

    def __init__(self, faults: Sequence[InvalidTask]) -> None:
        self._faults = tuple(faults)
        first, *others = self._faults
        self.mesos_reason = first.mesos_reason
        hint = f" ({first.hint})" if first.hint else ""
        super().__init__(
            clipped(first.message + hint, MESSAGE_MAX - MORE_MAX) + _more(others), subject=first.subject, hint=_ALL
        )

    @property
    def faults(self) -> tuple[InvalidTask, ...]:
        """Each fault as an error of its own."""
        return self._faults


def together(faults: Sequence[InvalidTask]) -> InvalidTask:
    """One error for one fault or more, in their order."""
    return faults[0] if len(faults) == 1 else FaultyTask(faults)


def _more(others: Sequence[InvalidTask]) -> str:
    """As in `; 2 more faults: path: message; path: message`, in at most MORE_MAX letters."""
    shown: list[str] = []
    left = MORE_MAX - _COUNT_MAX
    for each in others:
        text = clipped(str(each), FAULT_MAX)
        if len(text) > left:
            break
        shown.append(text)
        left -= len(text) + 2
    hidden = len(others) - len(shown)
    shown += [f"and {hidden} more"] if hidden else []
    return f"; {len(others)} more {'fault' if len(others) == 1 else 'faults'}: {'; '.join(shown)}"


class InvalidConfig(InvalidInput):
    """`subject` is the file and key, or the variable. For a task it is the node's fault: another node may do."""

    mesos_reason = "REASON_CONTAINER_LAUNCH_FAILED"


class InvalidRequest(InvalidInput):
    """`subject` is the field of the request."""


class Refused(ExecutorError):
    mesos_reason = "REASON_TASK_UNAUTHORIZED"


class NotFound(ExecutorError):
    pass


class Failure(ExecutorError):
    pass


class ImageFailure(Failure):
    mesos_reason = "REASON_CONTAINER_LAUNCH_FAILED"


class ContainerdFailure(Failure):
    pass


class ContainerdUnavailable(ContainerdFailure):
    """containerd did not answer: not started yet, restarting, or its socket is wrong."""


class NetworkFailure(Failure):
    pass


class CgroupFailure(Failure):
    mesos_reason = "REASON_CONTAINER_UPDATE_FAILED"


class TimedOut(Failure):
    pass


class MesosFailure(Failure):
    pass
