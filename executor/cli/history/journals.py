"""The journals of executors that cannot be asked any more: dead ones by their owner files, ended ones by what was left
to find them (executor/node/ended_executors.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.cli.executors.look import State
from executor.cli.session import Session
from executor.errors import Failure, NotFound, reason
from executor.log.journal_files import FILE, read
from executor.node.ended_executors import MesosNames, ended


@dataclass(frozen=True)
class Journal:
    """`died`: its executor had no clean end."""

    container: str
    names: MesosNames
    died: bool

    @property
    def path(self) -> Path:
        """The path of its newer file."""
        return Path(self.names.sandbox) / FILE

    def size_bytes(self) -> int:
        """The size of its two files, as far as they are there."""
        paths = (self.path, self.path.with_name(f"{FILE}.1"))
        return sum(path.stat().st_size for path in paths if path.is_file())

    def events(self) -> list[dict[str, Any]]:
        """Empty where there is no file any more. Raises Failure where it cannot be read."""
        try:
            return [dict(event) for event in read(Path(self.names.sandbox))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Failure(f"cannot be read: {reason(error)}", subject=str(self.path), hint="run as root") from error


def left(session: Session) -> Iterator[Journal]:
    """The journals of the executors meant, or of all: the dead ones, then those that ended, the newest first."""
    dead = [each for each in session.everyone() if each.state is State.DEAD]
    former = [each for each in ended(session.run_dir) if each.container not in {other.id for other in dead}]
    chosen = session.meant(
        {each.id: each.names.executor_id for each in dead} | {each.container: each.names.executor_id for each in former}
    )
    for executor in dead:
        if executor.id in chosen and executor.names.sandbox:
            yield Journal(executor.id, executor.names, died=True)
    for gone in former:
        if gone.container in chosen:
            yield Journal(gone.container, gone.names, died=gone.died)


def at(path: Path) -> list[dict[str, Any]]:
    """The events of a journal.jsonl, or of the one in a Mesos sandbox. Raises NotFound, Failure."""
    directory = path.parent if path.name.startswith(FILE) else path
    try:
        return [dict(event) for event in read(directory)]
    except FileNotFoundError as error:
        raise NotFound("no such file", subject=str(path), hint="name a journal.jsonl or a Mesos sandbox") from error
    except OSError as error:
        raise Failure(f"cannot be read: {reason(error)}", subject=str(path)) from error
