"""The request of a revocation. Pure.

The one document serves every channel: a framework's MESSAGE, the control socket, the `revoke` command and local
pressure.

    {"id": "r-1", "reason": "spark wants its cores", "select": {"roles": ["eng"]},
     "grace": "5s", "deadline": "30s", "dry_run": false}

Exactly one of `select` and `reclaim` is there. `select` has exactly one of `all`, `roles` (each with its subtree),
`tasks`, `labels` (all of them must match). `reclaim` has `cpus`, `mem` (bytes) or both.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from executor.duration import seconds
from executor.errors import InvalidInput, InvalidRequest
from executor.names import RevocationId, Role, TaskId
from executor.pod.life.events import Stop, StopCause

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
GRACE_MAX_S = 366 * 86400.0
"""A year: a longer grace is a mistake, and the deadline in the notice must be a valid date."""
_NAME_MAX_BYTES = 255
SELECTED_MAX = 5000
"""Roles, tasks or labels of one request."""
KEYS = ("id", "reason", "select", "reclaim", "grace", "deadline", "dry_run")


@dataclass(frozen=True)
class Select:
    everything: bool = False
    roles: tuple[Role, ...] = ()
    tasks: tuple[TaskId, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    @cached_property
    def task_set(self) -> frozenset[TaskId]:
        """The tasks, for look-ups."""
        return frozenset(self.tasks)

    @cached_property
    def label_set(self) -> frozenset[tuple[str, str]]:
        """The labels, for look-ups."""
        return frozenset(self.labels)


@dataclass(frozen=True)
class Reclaim:
    """The least that must come free."""

    cpus: float = 0.0
    mem_bytes: int = 0


@dataclass(frozen=True)
class Request:
    id: RevocationId
    reason: str
    want: Select | Reclaim
    grace_s: float
    """Seconds that each victim gets between SIGTERM and the kill; never more than `deadline`."""
    dry_run: bool = False

    @property
    def stop(self) -> Stop:
        """The event that each victim gets."""
        message = f"revoked by {self.id}" + (f": {self.reason}" if self.reason else "")
        return Stop(StopCause.REVOKED, self.grace_s, message, self.id, self.reason)


def parse(document: object, *, default_grace_s: float, fresh_id: str) -> Request:
    """The request in `document`; `fresh_id` serves one without an id. Raises InvalidRequest naming the field."""
    fields = _mapping(document, "revoke")
    _known(fields, KEYS, "revoke")
    identity = fields.get("id", fresh_id)
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise InvalidRequest(
            f"{repr(identity)[:80]} cannot identify a revocation",
            subject="revoke.id",
            hint="use up to 128 letters, digits and _.:-, beginning with a letter or digit",
        )
    reason = fields.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 1024 or any(map(_is_half_a_pair, reason)):
        raise InvalidRequest("must be a text of at most 1024 characters", subject="revoke.reason")
    grace_s = _seconds(fields.get("grace", default_grace_s), "revoke.grace")
    if "deadline" in fields:
        grace_s = min(grace_s, _seconds(fields["deadline"], "revoke.deadline"))
    dry_run = fields.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise InvalidRequest("must be true or false", subject="revoke.dry_run")
    return Request(RevocationId(identity), reason, _want(fields), grace_s, dry_run)


def _want(fields: Mapping[str, Any]) -> Select | Reclaim:
    if ("select" in fields) == ("reclaim" in fields):
        raise InvalidRequest("exactly one of select and reclaim must be there", subject="revoke")
    if "reclaim" in fields:
        return _reclaim(_mapping(fields["reclaim"], "revoke.reclaim"))
    return _select(_mapping(fields["select"], "revoke.select"))


def _select(fields: Mapping[str, Any]) -> Select:
    _known(fields, ("all", "roles", "tasks", "labels"), "revoke.select")
    if len(fields) != 1:
        raise InvalidRequest("exactly one of all, roles, tasks and labels must be there", subject="revoke.select")
    ((key, value),) = fields.items()
    subject = f"revoke.select.{key}"
    if key == "all":
        if value is not True:
            raise InvalidRequest("must be true", subject=subject)
        return Select(everything=True)
    _check_count(value, subject)
    if key == "labels":
        labels = _mapping(value, subject)
        if not labels or not all(isinstance(text, str) for text in labels.values()):
            raise InvalidRequest("must be an object of texts with at least one label", subject=subject)
        return Select(labels=tuple(sorted(labels.items())))
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text for text in value):
        raise InvalidRequest("must be a list of at least one text", subject=subject)
    if key == "tasks":
        return Select(tasks=tuple(map(TaskId, value)))
    for role in value:
        if role != "*" and not all(map(_can_be_named, role.split("/"))):
            hint = 'write it as "eng/dev", or "*"'
            raise InvalidRequest(f"{repr(role)[:80]} is not a Mesos role", subject=subject, hint=hint)
    return Select(roles=tuple(map(Role, value)))


def _check_count(value: object, subject: str) -> None:
    if isinstance(value, dict | list) and len(value) > SELECTED_MAX:
        raise InvalidRequest(f"names {len(value)}, which is more than {SELECTED_MAX}", subject=subject)


def _is_half_a_pair(letter: str) -> bool:
    """Whether it is a lone surrogate. JSON can carry one, but it is not text, and no agent takes it."""
    return "\ud800" <= letter <= "\udfff"


def _can_be_named(part: str) -> bool:
    """Whether it can be a part of a role: each is a directory of cgroups."""
    odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in part)
    return not odd and part not in ("", ".", "..", "*") and len(part.encode()) < _NAME_MAX_BYTES


def _reclaim(fields: Mapping[str, Any]) -> Reclaim:
    _known(fields, ("cpus", "mem"), "revoke.reclaim")
    for key, value in fields.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**62:
            hint = "write bytes, as in 1073741824" if key == "mem" else "write cores, as in 1.5"
            raise InvalidRequest("must be a number above 0", subject=f"revoke.reclaim.{key}", hint=hint)
    if not fields:
        raise InvalidRequest("at least one of cpus and mem (bytes) must be there", subject="revoke.reclaim")
    return Reclaim(cpus=float(fields.get("cpus", 0.0)), mem_bytes=math.ceil(fields.get("mem", 0)))


def _mapping(value: object, subject: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidRequest(f"must be an object, not {type(value).__name__}", subject=subject)
    return value


def _known(fields: Mapping[str, Any], known: tuple[str, ...], subject: str) -> None:
    for key in fields:
        if key not in known:
            raise InvalidRequest(
                "is not a field of this request", subject=f"{subject}.{key[:80]}", hint=f"known: {', '.join(known)}"
            )


def _seconds(value: object, subject: str) -> float:
    try:
        length_s = seconds(value, subject=subject)
    except InvalidInput as error:
        raise InvalidRequest(error.message, subject=error.subject, hint=error.hint) from error
    if length_s > GRACE_MAX_S:
        raise InvalidRequest(f"must be no more than {GRACE_MAX_S / 86400:g} days", subject=subject)
    return length_s
