"""Which numbers a container's process runs as. Pure.

Source: OCI image-spec config.md ("User"), passwd(5), group(5); Kubernetes' runAsUser, runAsGroup, supplementalGroups.
Names and groups are looked up in the image's own /etc/passwd and /etc/group, of which the caller gives the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from executor.errors import ImageFailure, InvalidTask
from executor.spec.security_model import Security

_MOST = 2**31 - 1


@dataclass(frozen=True)
class UserIds:
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Additional ones, sorted."""


@dataclass(frozen=True)
class Accounts:
    """The texts of the image's /etc/passwd and /etc/group; None for one that the image does not have."""

    passwd: str | None = None
    group: str | None = None


def wanted(security: Security, image_user: str) -> str:
    """The user as `user_ids` takes it."""
    return str(security.run_as_user) if security.run_as_user is not None else security.user or image_user


def needs_accounts(user: str) -> bool:
    """Whether `user_ids` depends on the image's files: it does, but for `uid:gid` in numbers."""
    name, _, group = user.partition(":")
    return _number(name) is None or _number(group) is None


def needs_name(user: str) -> bool:
    """Whether the user or the group is a name that only the image's files know: without them there are no ids."""
    return any(part not in ("", "root") and _number(part) is None for part in user.partition(":")[::2])


def effective(security: Security, ids: UserIds, *, subject: str) -> UserIds:
    """The ids after the pod's wishes, from those of the user. Raises InvalidTask if runAsNonRoot meets user 0.

    The group is among the additional ones too, as login(1) leaves it: else a process could drop it, by a setgid
    program, and with it what a file's mode denies to that group.
    """
    if security.run_as_non_root and ids.uid == 0:
        hint = "set runAsUser, or take an image with a user of its own"
        raise InvalidTask("runAsNonRoot, but the image's user is root", subject=subject, hint=hint)
    gid = ids.gid if security.run_as_group is None else security.run_as_group
    return UserIds(ids.uid, gid, tuple(sorted({gid, *ids.groups, *security.supplemental_groups})))


def user_ids(user: str, accounts: Accounts, *, subject: str) -> UserIds:
    """The ids of `user`, `uid`, `user:group` or `uid:gid`; empty is root.

    Without a group it is that of /etc/passwd, 0 for a number that is not in it, and the groups of /etc/group that list
    the user come on top. A number is always an id, so that no image can give it another meaning by a name. Raises
    ImageFailure for a name that is not in the texts; `root` needs none.
    """
    name, _, group_name = user.partition(":")
    account = _account(name or "root", accounts.passwd, subject)
    if group_name:
        return UserIds(account.uid, _group(group_name, accounts.group, subject))
    return UserIds(account.uid, account.gid, _groups_of(account.name, accounts.group or "") if account.name else ())


@dataclass(frozen=True)
class _Account:
    name: str
    uid: int
    gid: int


def _account(user: str, passwd: str | None, subject: str) -> _Account:
    number = _number(user)
    for fields in _lines(passwd or "", 4):
        if (ids := _numbers(fields[2:4])) and (fields[0] == user if number is None else ids[0] == number):
            return _Account(fields[0], *ids)
    if number is not None:
        return _Account("", number, 0)
    if user == "root":
        return _Account("root", 0, 0)
    raise _unknown("user", user, "passwd", passwd, subject)


def _group(name: str, group: str | None, subject: str) -> int:
    if (number := _number(name)) is not None:
        return number
    for fields in _lines(group or "", 3):
        if fields[0] == name and (gid := _number(fields[2])) is not None:
            return gid
    if name == "root":
        return 0
    raise _unknown("group", name, "group", group, subject)


def _groups_of(user: str, group: str) -> tuple[int, ...]:
    members = ((_number(fields[2]), fields[3].split(",")) for fields in _lines(group, 4))
    return tuple(sorted({gid for gid, users in members if gid is not None and user in users}))


def _unknown(kind: str, name: str, file: str, text: str | None, subject: str) -> ImageFailure:
    problem = (
        f"is not in the image's /etc/{file}" if text is not None else f"is a name, and the image has no /etc/{file}"
    )
    hint = "give numbers: runAsUser and runAsGroup, or the task's command.user as uid:gid"
    return ImageFailure(f"the {kind} {name[:80]!r} {problem}", subject=subject, hint=hint)


def _lines(text: str, least: int) -> Iterator[list[str]]:
    for line in text.split("\n"):
        fields = line.strip().split(":")
        if len(fields) >= least and not line.startswith("#"):
            yield fields


def _numbers(texts: list[str]) -> tuple[int, int] | None:
    uid, gid = _number(texts[0]), _number(texts[1])
    return None if uid is None or gid is None else (uid, gid)


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if int(text) <= _MOST else None
