"""The ledger's files: one JSON line for each entry, appended before anything is done about it. Owns them.

A file that has grown too long becomes the older one, and a new one begins with entries that add up to the same. A kill
at any moment leaves whole lines, and at most one torn one at the end, which is cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from executor import bounded_json
from executor.errors import Failure, reason
from executor.lending.accounts import Accounts, Entry, added_up, document, parse

FILE: Final = "ledger.jsonl"
PENDING_MAX: Final = 10_000
"""Entries that are kept for a disk that refuses them; the oldest are lost then, and the node's state brings the loans
back.
"""


class Ledger:
    """The ledger of one lender, which holds the lock of the directory."""

    def __init__(self, directory: Path, max_bytes: int = 4 << 20) -> None:
        self.path = directory / FILE
        self._max_bytes = self._least_bytes = max_bytes
        self._pending: list[Entry] = []

    def open(self) -> Accounts:
        """The accounts of all entries; a torn line is cut off. Raises Failure."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                text = self.path.read_bytes()
                whole = text.rfind(b"\n") + 1
                if whole < len(text):
                    os.truncate(self.path, whole)
            accounts = added_up(entries(self.path))
            self._set_limit(accounts)
            return accounts
        except OSError as error:
            raise _failure(self.path, error) from error

    def append(self, new: Sequence[Entry], accounts: Accounts) -> None:
        """Raises Failure; entries that are not written yet are written with the next ones. `accounts` are those with
        the new ones.
        """
        self._pending = [*self._pending, *new][-PENDING_MAX:]
        if not self._pending:
            return
        data = "".join(_line(entry) for entry in self._pending).encode()
        try:
            is_full = self.path.exists() and self.path.stat().st_size + len(data) > self._max_bytes
            self._append(data)
            self._pending = []  # also if no new file can be begun: a loan that is written twice would count twice
            if is_full:
                self._begin_again(accounts)
        except OSError as error:
            raise _failure(self.path, error) from error

    def _set_limit(self, accounts: Accounts) -> None:
        """A file may grow to twice of what it begins with, or else each entry of a crowded node would begin another."""
        opening = sum(len(_line(entry)) for entry in accounts.opening())
        self._max_bytes = max(self._least_bytes, 2 * opening)

    def _append(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if os.write(descriptor, data) < len(data):
                os.ftruncate(descriptor, size)
                raise OSError(28, "no space left")
        finally:
            os.close(descriptor)

    def _begin_again(self, accounts: Accounts) -> None:
        """In two steps, each of which leaves a whole ledger in place."""
        older, new = older_than(self.path), self.path.with_name(f".{self.path.name}.new")
        new.write_text("".join(map(_line, accounts.opening())))
        self._set_limit(accounts)
        new.chmod(0o600)
        link = self.path.with_name(f".{self.path.name}.link")
        link.unlink(missing_ok=True)
        os.link(self.path, link)
        link.replace(older)
        new.replace(self.path)


def older_than(path: Path) -> Path:
    """Where the file before this one is."""
    return path.with_name(f"{path.name}.1")


def entries(path: Path) -> Iterator[Entry]:
    """The entries of one file; none if it is not there. Lines that are none are left out. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                read = bounded_json.loads(line, bounded_json.LINE)
                if isinstance(read, dict) and (entry := parse(read)) is not None:
                    yield entry


def history(directory: Path) -> Accounts:
    """The accounts with the loans of the older file too, for a reader. Raises Failure."""
    path = directory / FILE
    try:
        older = added_up(entries(older_than(path)))
        accounts = added_up(entries(path))
    except OSError as error:
        raise _failure(path, error) from error
    returned = {(loan.key, loan.returned_s): loan for loan in (*older.closed, *accounts.closed)}
    accounts.closed.clear()
    accounts.closed.extend(returned.values())
    return accounts


def _line(entry: Entry) -> str:
    return json.dumps(document(entry)) + "\n"


def _failure(path: Path, error: OSError) -> Failure:
    return Failure(f"cannot be used: {reason(error)}", subject=str(path), hint="run as root; see [node] state_dir")
