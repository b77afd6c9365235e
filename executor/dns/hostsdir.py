"""The directory that dnsmasq watches (--hostsdir): one hosts file for each pod or task, named `<owner>.<object>`.

Invariants: a file appears, changes and goes in one step (rename within the directory; dnsmasq ignores names that begin
with a dot, src/inotify.c); it is readable for dnsmasq's own user; the part before the first dot is the owner, and only
the owner changes or removes it; every line was checked before it is written. The directory itself is never removed:
dnsmasq watches its inode.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from executor.dns.names import check_hosts_text
from executor.errors import Failure, NotFound, reason

SYNCHRONISER = "mesos"
"""Owner of what the synchroniser writes; other owners are executors, by their Mesos container id."""
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_HINT = "see [dns] hosts_dir; is there room, and is it writable?"


@dataclass(frozen=True)
class HostsDir:
    path: Path

    def ensure(self) -> None:
        """Make it if it is missing; readable for dnsmasq's user under any umask. Raises Failure."""
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True, exist_ok=True)
                self.path.chmod(0o755)
        except OSError as error:
            raise _failure(error, self.path) from error

    def write(self, owner: str, name: str, text: str) -> None:
        """Replaces the file in one step. Raises Failure, also for a `text` that is not a hosts file of addresses and
        names; then the file is what it was.
        """
        path = self._file(owner, name)
        check_hosts_text(text)
        scratch = path.with_name(f".{path.name}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            with os.fdopen(descriptor, "w") as file:
                os.fchmod(descriptor, 0o644)  # under any umask
                file.write(text)
            scratch.rename(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                scratch.unlink()
            raise _failure(error, path) from error

    def remove(self, owner: str, name: str) -> None:
        """Missing is success. Raises Failure."""
        path = self._file(owner, name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failure(error, path) from error

    def read(self, owner: str, name: str) -> str:
        """Raises NotFound, Failure."""
        path = self._file(owner, name)
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError as error:
            raise NotFound("no such names", subject=str(path)) from error
        except OSError as error:
            raise _failure(error, path) from error

    def mark(self, owner: str, text: str) -> None:
        """Say of an owner which lock is its own, in a link that names no file. Raises Failure."""
        path = self._mark(owner)
        try:
            if text and self.marked(owner) != text:
                path.unlink(missing_ok=True)
                path.symlink_to(text)
        except OSError as error:
            raise _failure(error, path) from error

    def marked(self, owner: str) -> str:
        """What `mark` said; empty if there is nothing, or `owner` cannot own names."""
        try:
            return os.readlink(self._mark(owner))  # noqa: PTH115 - a text, not a path
        except (Failure, OSError):
            return ""

    def _mark(self, owner: str) -> Path:
        if not _PART.fullmatch(owner):
            raise Failure(f"{owner!r} owns no names", subject=str(self.path))
        return self.path / f".{owner}.owner"

    def files(self) -> list[tuple[str, str]]:
        """Owner and name of every file, sorted; others' retries and files that are not of this form are left out."""
        return sorted(
            (owner, rest)
            for owner, dot, rest in (name.partition(".") for name in _listed(self.path))
            if dot and _PART.fullmatch(owner) and _PART.fullmatch(rest)
        )

    def names(self, owner: str) -> list[str]:
        """The names of an owner's files, without the owner. Raises Failure."""
        return [name for each, name in self.files() if each == owner]

    def owners(self) -> frozenset[str]:
        """Every owner that has a file. Raises Failure."""
        return frozenset(owner for owner, _ in self.files())

    def _file(self, owner: str, name: str) -> Path:
        if not _PART.fullmatch(owner) or not _PART.fullmatch(name):
            raise Failure(f"{owner!r}, {name!r} cannot name a file", subject=str(self.path))
        return self.path / f"{owner}.{name}"


def remove_owner(hostsdir: Path, owner: str) -> int:
    """Every file of one owner (a dead executor's Mesos container id), and what it had begun to write; how many there
    were. Missing is success. Raises Failure.
    """
    if not _PART.fullmatch(owner):
        raise Failure(f"{owner!r} owns no names", subject=str(hostsdir))
    count = 0
    for name in _listed(hostsdir):
        if name.startswith((f"{owner}.", f".{owner}.")):
            try:
                (hostsdir / name).unlink(missing_ok=True)
            except OSError as error:
                raise _failure(error, hostsdir / name) from error
            count += not name.startswith(".")
    return count


def _listed(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names only, thousands of them
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _failure(error, directory) from error


def _failure(error: OSError, path: Path) -> Failure:
    return Failure(reason(error), subject=str(path), hint=_HINT)
