"""The executors of this node, as every command sees them: which ones answer, which hang, and which are dead.

All are asked at the same time and for a limited time, so that one that hangs holds up no command.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from executor.cli.executors.client import Client, clients, is_dead
from executor.cli.exits import Unreachable
from executor.cli.printing import units
from executor.errors import ExecutorError
from executor.log.journal_files import FILE, read
from executor.log.timeline import unfinished
from executor.names import MesosContainerId
from executor.node import claims
from executor.node.claims import Owner
from executor.node.ended_executors import MesosNames
from executor.node.lock_holders import reaper_of

ANSWER_S: Final = 10.0
"""How long an executor may take to say who it is. On a node without idle CPU it has the share of its own resources,
often a tenth of a CPU, and takes seconds.
"""
_NOTICE_S: Final = 2.0
"""After this time a terminal shows for which executors the command waits."""
_AT_ONCE: Final = 32
_NAME_LETTERS: Final = 24
_MORE: Final = "see `doctor` and `why TASK`"
_RELEASE: Final = "`gc` releases what is left"


class State(StrEnum):
    ANSWERS = "answers"
    SILENT = "silent"
    DEAD = "dead"


@dataclass(frozen=True)
class Executor:
    """`document` is its answer, empty without one; `error` says why there is none. `reaper` is the process that
    releases what a dead one left, 0 if there is none.
    """

    client: Client
    state: State
    names: MesosNames
    document: Mapping[str, Any] = field(default_factory=dict)
    error: Unreachable | None = None
    reaper: int = 0

    @property
    def id(self) -> str:
        """The id of its Mesos container."""
        return self.client.id

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.id} ({self.names.executor_id})" if self.names.executor_id else self.id


def look(run_dir: Path, wanted: str = "") -> list[Executor]:
    """Every executor of this node, in the order of container ids. With `wanted`, an ExecutorID or the beginning of a
    container id: those that it names. Raises Failure if the directory cannot be read.
    """
    everyone = clients(run_dir)
    owners = {owner.container: owner for owner in claims.listed(run_dir)}
    chosen = [each for each in everyone if each.id.startswith(wanted)] or [
        each for each in everyone if _owner(owners, each).mesos.executor_id == wanted
    ]
    if chosen:
        return _asked(chosen, owners)
    return [each for each in _asked(everyone, owners) if each.names.executor_id == wanted]  # of an older version


def _asked(chosen: Sequence[Client], owners: Mapping[MesosContainerId, Owner]) -> list[Executor]:
    if not chosen:
        return []
    with ThreadPoolExecutor(min(len(chosen), _AT_ONCE)) as threads:
        asked = [threads.submit(_ask, client, _owner(owners, client)) for client in chosen]
        _, waiting = wait(asked, timeout=_NOTICE_S)
        if waiting and sys.stderr.isatty():
            names = ", ".join(client.id for client, answer in zip(chosen, asked, strict=True) if answer in waiting)
            sys.stderr.write(f"waiting for an answer (at most {ANSWER_S:.0f} s): executor {names}\n")
        return [answer.result() for answer in asked]


def _owner(owners: Mapping[MesosContainerId, Owner], client: Client) -> Owner:
    container = MesosContainerId(client.id)
    return owners.get(container, Owner(container))


def _ask(client: Client, owner: Owner) -> Executor:
    if is_dead(client, ANSWER_S):
        run_dir = client.socket.parent
        reaper = reaper_of(owner, run_dir)
        if reaper or not claims.is_locked(run_dir / f"{client.id}{claims.SUFFIX}"):
            return Executor(client, State.DEAD, owner.mesos, reaper=reaper)
        error = Unreachable("lives, but nothing listens on its control socket", subject=f"executor {client.id}")
        return Executor(client, State.SILENT, owner.mesos, error=error)
    try:
        document = client.get("/v1/executor", timeout_s=ANSWER_S)
    except Unreachable as error:
        return Executor(client, State.SILENT, owner.mesos, error=error)
    except ExecutorError:  # that is an answer too
        return Executor(client, State.ANSWERS, owner.mesos)
    names = MesosNames(str(document.get("executor", "")), str(document.get("framework", "")), owner.mesos.sandbox)
    return Executor(client, State.ANSWERS, names, document)


def dead_line(dead: Sequence[Executor]) -> str:
    """A short line about dead executors, at least one, for the commands that leave them out: what says more."""
    first = dead[0]
    if len(dead) > 1:
        return f"{len(dead)} executors are dead, such as {units.identity(first.id)}; {_MORE}; {_RELEASE}"
    name = f" ({units.shortened(first.names.executor_id, _NAME_LETTERS)})" if first.names.executor_id else ""
    about = f"executor {units.identity(first.id)}{name} is dead"
    return f"{about}, process {first.reaper} releases it; {_MORE}" if first.reaper else f"{about}; {_MORE}; {_RELEASE}"


def about_dead(executor: Executor) -> str:
    """All about a dead executor: that it is dead, what it was doing by its journal, and what to do."""
    text = f"executor {executor.title} is dead"
    if executor.reaper:
        text += f"; process {executor.reaper} is releasing what it left"
    try:
        events = read(Path(executor.names.sandbox)) if executor.names.sandbox else []
    except OSError:
        events = []
    if events:
        pods = unfinished(events)
        named = f" ({', '.join(pods[:5])}{', ...' if len(pods) > 5 else ''})" if pods else ""
        doing = f"{len(pods) or 'no'} pod{'' if len(pods) == 1 else 's'}{named}"
        text += f"; it had {doing} at {events[-1]['time']}; its journal: {Path(executor.names.sandbox) / FILE}"
        return f"{text} (mesos-pod-executor why TASK reads it; gc releases what it left)"
    return f"{text} (mesos-pod-executor gc releases what it left)"
