"""`lend`: the lender of this node, as mesos-pod-executor-lend.service runs it."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from executor.cli.executors.client import Client, is_dead
from executor.cli.executors.look import State, look
from executor.cli.exits import Exit, Unreachable, Unreadable
from executor.cli.printing import output
from executor.cli.session import Session, json_option, pass_session
from executor.errors import NotFound
from executor.lending.node import ExecutorKey
from executor.log import get_logger
from executor.names import ExecutorId, FrameworkId

log = get_logger(__name__)

CREDENTIAL_KEY: Final = "[lending] credential_file"
ANSWER_S: Final = 3.0
"""How long an executor may take to begin with a return; after that others return in its place."""
_ENDING_S: Final = 60.0
"""How long an executor may take to end its victims, beyond their grace."""


@click.command("lend")
@json_option
@pass_session
def command(session: Session, *, as_json: bool) -> int:
    """Offer the unused resources of this node's owners as revocable, until SIGTERM.

    A resource provider of the agent offers the resources that the roles in [lending] owners have reserved on this node
    and do not use. As soon as the master announces a task of an owner, the lender ends the fewest revocable pods whose
    resources suffice for the task. mesos-pod-executor-lend.service runs this.
    """
    from cgroups import Hierarchies
    from executor import log as logs
    from executor.lending import configured, status
    from executor.lending.lender import Lender, Peers
    from executor.mesos import operator
    from executor.mesos.provider import Provider

    loaded = session.configuration()
    section = loaded.lending
    book = configured.book(section)
    logs.configure(loaded.log)
    authorization = operator.credential(Path(section.credential_file), CREDENTIAL_KEY)
    agent = operator.Operator(section.agent, authorization, operator.Keys("[lending] agent", CREDENTIAL_KEY))
    keys = operator.Keys("[lending] masters", CREDENTIAL_KEY)
    masters = [operator.Operator(each, authorization, keys) for each in section.masters]
    executors = Executors(session.run_dir, section.grace_s + _ENDING_S)
    points = Hierarchies.discover().points if section.agent_cgroup else ()
    containers = [point / section.agent_cgroup.strip("/") for point in points]
    peers = Peers(agent, masters, Provider(section.agent, authorization), executors.revoke, containers, executors.look)
    lender = Lender(
        book,
        peers,
        Path(loaded.node.state_dir, "lending"),
        session.run_dir / status.FILE,
        interval_s=section.interval_s,
        grace_s=section.grace_s,
    )
    if as_json:
        output.json_line({"pid": os.getpid(), "status": str(session.run_dir / status.FILE)})
    return Exit.INTERRUPTED if lender.run() == signal.SIGINT else Exit.OK


class Executors:
    """The executors of this node, found by their control sockets. Its methods may be called from any thread."""

    def __init__(self, run_dir: Path, patience_s: float) -> None:
        self._run_dir, self._patience_s = run_dir, patience_s
        self._clients: dict[ExecutorKey, Client] = {}

    def look(self) -> dict[ExecutorKey, Sequence[Mapping[str, Any]]]:
        """What each executor that answers says of its revocable pods. Raises Failure if the directory is unreadable."""
        found: dict[ExecutorKey, Sequence[Mapping[str, Any]]] = {}
        for key, client in self._find().items():
            try:
                found[key] = client.get("/v1/candidates")["candidates"]
            except NotFound:  # of a version before lending
                found[key] = ()
            except Unreadable as error:
                what = f"executor {key[1]}"
                log.warning("a source answers what cannot be read", code="lending.unreadable", what=what, error=error)
            except Unreachable:
                continue
        return found

    def revoke(self, key: ExecutorKey, body: Mapping[str, Any]) -> dict[str, Any]:
        """The receipt. Raises Unreachable, or what the executor answers."""
        client = self._clients.get(key) or self._find().get(key)
        if client is None:
            hint = "it may be starting; is its framework's executor mesos-pod-executor?"
            raise Unreachable("has no control socket on this node", subject=f"executor {key[1]}", hint=hint)
        try:
            return self._post(client, body)
        except Unreachable:
            if not is_dead(client, ANSWER_S):  # it hangs: others return in the place of its loans, at once
                raise
            if (again := self._find().get(key)) is None:
                raise
            return self._post(again, body)

    def _post(self, client: Client, body: Mapping[str, Any]) -> dict[str, Any]:
        """Twice, for the same id is carried out once: an executor that hangs is known soon, however long the grace."""
        client.post("/v1/revocations", body, timeout_s=ANSWER_S, wait="0")
        receipt: dict[str, Any] = client.post("/v1/revocations", body, timeout_s=self._patience_s)
        return receipt

    def _find(self) -> dict[ExecutorKey, Client]:
        answering = [each for each in look(self._run_dir) if each.state is State.ANSWERS]
        self._clients = {
            (FrameworkId(str(each.document.get("framework", ""))), ExecutorId(each.names.executor_id)): each.client
            for each in answering
        }
        return self._clients
