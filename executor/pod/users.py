"""Which numbers a container's process runs as. Pure.

Source: OCI image-spec config.md ("User"), passwd(5), group(5); Kubernetes' runAsUser, runAsGroup, supplementalGroups.
Names can only be looked up in the image's own /etc/passwd and /etc/group, of which the caller gives the texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from executor.errors import ImageFailure, InvalidTask
from executor.pod.spec import Security

_MOST = 2**31 - 1


@dataclass(frozen=True)
class UserIds:
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Additional ones, sorted."""


@dataclass(frozen=True)
class Accounts:
    """The texts of the image's /etc/passwd and /etc/group."""

    passwd: str = ""
    group: str = ""


def user_ids(user: str, passwd: str | None, group: str | None) -> UserIds:
    """The ids of `user`, `uid`, `user:group` or `uid:gid`; empty is root. None for a text that is not at hand.

    Groups of /etc/group that list the user come on top only where no group is given. Raises ImageFailure for a name
    that is not in the texts; `root` and numbers need none.
    """
    name, _, group_name = user.partition(":")
    account = _account(name or "root", passwd)
    if group_name:
        return UserIds(account.uid, _group(group_name, group))
    return UserIds(account.uid, account.gid, _groups_of(account.name, group or "") if account.name else ())


def effective(security: Security, image_user: str, accounts: Accounts | None, *, subject: str) -> UserIds:
    """The ids after the pod's wishes. Raises ImageFailure, and InvalidTask if runAsNonRoot meets user 0."""
    wanted = str(security.run_as_user) if security.run_as_user is not None else security.user or image_user
    passwd, group = (accounts.passwd, accounts.group) if accounts is not None else (None, None)
    ids = user_ids(wanted, passwd, group)
    if security.run_as_non_root and ids.uid == 0:
        mend = "set runAsUser, or take an image with a user of its own"
        raise InvalidTask("runAsNonRoot, but the image's user is root", subject=subject, mend=mend)
    gid = ids.gid if security.run_as_group is None else security.run_as_group
    return UserIds(ids.uid, gid, tuple(sorted({*ids.groups, *security.supplemental_groups})))


@dataclass(frozen=True)
class _Account:
    name: str
    uid: int
    gid: int


def _account(user: str, passwd: str | None) -> _Account:
    """By name, then by number: a name may look like a number."""
    known = [_Account(fields[0], *ids) for fields in _lines(passwd or "", 4) if (ids := _numbers(fields[2:4]))]
    number = _number(user)
    for account in known:
        if account.name == user:
            return account
    if number is not None:
        return next((account for account in known if account.uid == number), _Account("", number, 0))
    if user == "root":
        return _Account("root", 0, 0)
    raise _unknown(user, "passwd", passwd)


def _group(name: str, group: str | None) -> int:
    for fields in _lines(group or "", 3):
        if fields[0] == name and (gid := _number(fields[2])) is not None:
            return gid
    if (number := _number(name)) is not None:
        return number
    if name == "root":
        return 0
    raise _unknown(name, "group", group)


def _groups_of(user: str, group: str) -> tuple[int, ...]:
    members = ((_number(fields[2]), fields[3].split(",")) for fields in _lines(group, 4))
    return tuple(sorted({gid for gid, users in members if gid is not None and user in users}))


def _unknown(name: str, file: str, text: str | None) -> ImageFailure:
    problem = (
        f"is not in the image's /etc/{file}" if text is not None else f"is a name, and the image has no /etc/{file}"
    )
    return ImageFailure(problem, subject=f"user {name[:80]!r}", mend="set runAsUser and runAsGroup to numbers")


def _lines(text: str, least: int) -> Iterator[list[str]]:
    for line in text.splitlines():
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
