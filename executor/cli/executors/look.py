"""The executors of this node, as every command sees them: which ones answer, which hang, and which are dead.

All are asked at the same time and for a limited time, so that one that hangs holds up no command.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
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
_LOOK_S: Final = 0.05
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
    """Every executor of this node, in the order of container ids, also one that lives and has lost its socket. With
    `wanted`: those that it names, see `meant`. Raises Failure if the directory cannot be read.
    """
    owners = {owner.container: owner for owner in claims.listed(run_dir)}
    everyone = clients(run_dir)
    everyone = sorted([*everyone, *_without_socket(run_dir, owners, everyone)], key=lambda each: each.id)
    if chosen := meant({each.id: _owner(owners, each).mesos.executor_id for each in everyone}, wanted):
        return _asked([each for each in everyone if each.id in chosen], owners)
    asked = _asked(everyone, owners)  # those of an older version have no owner file
    chosen = meant({each.id: each.names.executor_id for each in asked}, wanted)
    return [each for each in asked if each.id in chosen]


def meant(executor_ids: Mapping[str, str], wanted: str) -> frozenset[str]:
    """Which of these containers, each with its ExecutorID, `wanted` names: by the beginning of the container's id, else
    by the ExecutorID, else by the beginning of an ExecutorID, if no other one begins so. Pure.
    """
    beginning = {container for container, name in executor_ids.items() if name.startswith(wanted)}
    return frozenset(
        {container for container in executor_ids if container.startswith(wanted)}
        or {container for container, name in executor_ids.items() if name == wanted}
        or (beginning if len({executor_ids[container] for container in beginning}) == 1 else ())
    )


def _without_socket(
    run_dir: Path, owners: Mapping[MesosContainerId, Owner], found: Sequence[Client]
) -> Iterator[Client]:
    """Those that live and have no control socket: they start or end just now, or the file was removed."""
    known = {each.id for each in found}
    for container in owners:
        if container not in known and claims.is_locked(run_dir / f"{container}{claims.SUFFIX}"):
            yield Client(run_dir / f"{container}{claims.SOCKET_SUFFIX}")


def _asked(chosen: Sequence[Client], owners: Mapping[MesosContainerId, Owner]) -> list[Executor]:
    if not chosen:
        return []
    with ThreadPoolExecutor(min(len(chosen), _AT_ONCE)) as threads:
        asked = [threads.submit(_ask, client, _owner(owners, client)) for client in chosen]
        _, waiting = wait(asked, timeout=_NOTICE_S)
        if waiting and sys.stderr.isatty():
            names = ", ".join(client.id for client, answer in zip(chosen, asked, strict=True) if answer in waiting)
            sys.stderr.write(f"waiting for an answer (at most {ANSWER_S:.0f} s): executor {names}\n")
        return [found for answer in asked if (found := answer.result()) is not None]


def _owner(owners: Mapping[MesosContainerId, Owner], client: Client) -> Owner:
    container = MesosContainerId(client.id)
    return owners.get(container, Owner(container))


def _ask(client: Client, owner: Owner) -> Executor | None:
    """None: it has ended meanwhile, and left nothing."""
    run_dir = client.socket.parent
    lock = run_dir / f"{client.id}{claims.SUFFIX}"
    _wait_for_socket(client, owner, lock)
    if is_dead(client, ANSWER_S):
        reaper, has_socket = reaper_of(owner, run_dir), client.socket.exists()
        if not has_socket and not lock.exists():
            return None
        if reaper or not claims.is_locked(lock):
            return Executor(client, State.DEAD, owner.mesos, reaper=reaper)
        what = "nothing listens on its control socket" if has_socket else f"{client.socket} is not there"
        error = Unreachable(f"lives, but {what}", subject=f"executor {client.id}")
        return Executor(client, State.SILENT, owner.mesos, error=error)
    try:
        document = client.get("/v1/executor", timeout_s=ANSWER_S)
    except Unreachable as error:
        return Executor(client, State.SILENT, owner.mesos, error=error)
    except ExecutorError:  # that is an answer too
        return Executor(client, State.ANSWERS, owner.mesos)
    names = MesosNames(str(document.get("executor", "")), str(document.get("framework", "")), owner.mesos.sandbox)
    return Executor(client, State.ANSWERS, names, document)


def _wait_for_socket(client: Client, owner: Owner, lock: Path) -> None:
    """It makes the socket a moment after its lock, and removes it a moment before."""
    deadline = time.monotonic() + ANSWER_S
    while not client.socket.exists() and claims.is_locked(lock) and time.monotonic() < deadline:
        if reaper_of(owner, lock.parent):
            return
        time.sleep(_LOOK_S)


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
