"""What the control socket can be asked, and how the executor answers. The paths and documents are a contract with
tools.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from executor import log as logs
from executor.control import documents as views
from executor.control import ending
from executor.control.server import Handler, Request, Response, Routes, Stream
from executor.control.socket import Peer
from executor.errors import InvalidRequest, NetworkFailure, NotFound, Refused
from executor.log.journal_files import read
from executor.log.timeline import timeline
from executor.names import PodId, RevocationId
from executor.pod.container import execs
from executor.pod.life.model import State
from executor.pod.resources import usage
from executor.revocation.rehearsal import rehearse

if TYPE_CHECKING:
    from executor.dispatch.dispatcher import Dispatcher
    from executor.log.journal import Journal
    from executor.revocation.receipt import Receipt

log = logs.get_logger(__name__)

_SHOWN_COMMAND = 200


def routes(dispatcher: Dispatcher, journal: Journal, metrics: Handler) -> Routes:
    """`metrics` answers `GET /metrics`."""
    answers = _Answers(dispatcher, journal)
    return {
        ("GET", "/v1/executor"): answers.executor,
        ("GET", "/v1/pods"): answers.pods,
        ("GET", "/v1/pods/{pod}"): answers.pod,
        ("GET", "/v1/candidates"): answers.candidates,
        ("DELETE", "/v1/pods/{pod}"): answers.forget,
        ("POST", "/v1/pods/{pod}/check"): answers.check,
        ("POST", "/v1/pods/{pod}/kill"): answers.kill,
        ("POST", "/v1/revocations"): answers.revoke,
        ("GET", "/v1/revocations"): answers.revocations,
        ("GET", "/v1/revocations/{id}"): answers.revocation,
        ("GET", "/v1/events"): answers.events,
        ("GET", "/v1/log"): answers.log,
        ("PUT", "/v1/log"): answers.set_log,
        ("POST", "/v1/rehearsals"): answers.rehearse,
        ("GET", "/v1/timelines/{task}"): answers.timeline,
        ("GET", "/metrics"): metrics,
        ("GET", "/v1/usage"): answers.usage,
        ("POST", "/v1/pods/{pod}/exec"): answers.exec,
        ("PUT", "/v1/execs/{id}"): answers.change_exec,
    }


class _Answers:
    def __init__(self, dispatcher: Dispatcher, journal: Journal) -> None:
        self._dispatcher = dispatcher
        self._journal = journal
        node = dispatcher.node
        self._execs = execs.Execs(node.containerd, node.outputs.directory, node.late_starts)

    async def executor(self, _: Request) -> Response:
        return Response({**views.executor(self._dispatcher), "pid": os.getpid(), "last_event": self._journal.last_seq})

    async def pods(self, request: Request) -> Response:
        runners = list(self._dispatcher.pods)
        if request.query.get("all") == "1":
            runners += self._dispatcher.pods.ended
        identity = self._dispatcher.environment.executor_id
        return Response({"pods": [views.pod(each, identity, self._network_faults(each.id)) for each in runners]})

    async def pod(self, request: Request) -> Response:
        runner = self._dispatcher.pods.find(request.parameters["pod"])
        identity = self._dispatcher.environment.executor_id
        document = views.inspection(runner, identity, self._network_faults(runner.id))
        document["kernel_network"] = await views.kernel_network(self._dispatcher.node.networks, runner.id)
        return Response(document)

    def _network_faults(self, pod: PodId) -> tuple[str, ...]:
        node = self._dispatcher.node
        return (*node.networks.faults(pod), *(f"a rule is lost: {each}" for each in node.cni.lost_rules(pod)))

    async def candidates(self, _: Request) -> Response:
        """What a lender needs to know to choose who returns."""
        return Response({"candidates": views.candidates(self._dispatcher.pods)})

    async def check(self, request: Request) -> Response:
        """Whether the plugins find the pod's attachments as they made them."""
        runner = self._dispatcher.pods.find(request.parameters["pod"])
        try:
            await self._dispatcher.node.cni.check(runner.id)
        except NetworkFailure as error:
            return Response({"error": str(error)})
        return Response({"error": ""})

    async def kill(self, request: Request) -> Response:
        wanted = ending.parse(request.body)
        runner = self._dispatcher.pods.find(request.parameters["pod"])
        signalled = ending.kill(runner, wanted, actor(request.peer))
        return Response({"pod": runner.id, "signalled": signalled}, status=202)

    async def forget(self, request: Request) -> Response:
        """The record and the logs of a pod that has ended."""
        runner = self._dispatcher.pods.find(request.parameters["pod"])
        if runner.pod.state is not State.ENDED:
            hint = "end it first: mesos-pod-executor kill"
            raise Refused(f"is {runner.pod.state}, and only ended pods are removed", subject=runner.id, hint=hint)
        if not await self._dispatcher.forget(runner):
            raise Refused("its logs are being read", subject=runner.id, hint="end the `logs -f` that reads them")
        return Response({"pod": runner.id})

    async def usage(self, _: Request) -> Response:
        document = await usage.usage(self._dispatcher.node, list(self._dispatcher.pods))
        return Response({"executor": self._dispatcher.environment.executor_id, **document})

    async def exec(self, request: Request) -> Stream:
        wanted = execs.parse(request.body)
        runner = self._dispatcher.pods.find(request.parameters["pod"])
        return Stream(self._execs.run(runner, self._execs.check(runner, wanted), wanted))

    async def change_exec(self, request: Request) -> Response:
        await self._execs.change(request.parameters["id"], request.body)
        return Response({})

    async def revoke(self, request: Request) -> Response:
        taken = self._dispatcher.revoker.take(request.body, actor(request.peer))
        if request.query.get("wait") == "0":
            taken.task.add_done_callback(_seen)
            return Response({"id": taken.id, "state": "running"}, status=202)
        receipt = await self._dispatcher.revoker.outcome(taken)
        return Response(receipt.document())

    async def revocations(self, _: Request) -> Response:
        return Response({"revocations": [receipt.document() for receipt in self._dispatcher.revoker.receipts()]})

    async def revocation(self, request: Request) -> Response:
        return Response(self._dispatcher.revoker.receipt(RevocationId(request.parameters["id"])).document())

    async def events(self, request: Request) -> Response | Stream:
        since = _number(request.query.get("since", "0"))
        if request.query.get("follow") == "1":
            return Stream(self._journal.follow(since))
        return Response({"events": self._journal.events(since)})

    async def log(self, _: Request) -> Response:
        return Response({"level": logs.level()})

    async def set_log(self, request: Request) -> Response:
        level = request.body.get("level") if isinstance(request.body, dict) else None
        if level not in ("debug", "info", "warning", "error"):
            raise InvalidRequest("must be debug, info, warning or error", subject="level")
        logs.set_level(level)
        log.info("log level changed", code="log.level", state=level)
        return Response({"level": level})

    async def rehearse(self, request: Request) -> Response:
        return Response(await rehearse(self._dispatcher.revoker, request.body))

    async def timeline(self, request: Request) -> Response:
        """From the files, which reach further back than what is kept in memory."""
        task = request.parameters["task"]
        sandbox = self._dispatcher.environment.sandbox
        events = await asyncio.to_thread(lambda: timeline(read(sandbox), task))
        if not events:
            raise NotFound("the journal knows no such task", subject=f"task {task}")
        return Response({"task": task, "events": events})


def actor(peer: Peer) -> str:
    """The process at the other end, in words."""
    return f"uid {peer.uid}, process {peer.pid} ({_command(peer.pid)})"


def _command(pid: int) -> str:
    """Its command line, cut."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        return "ended"
    text = b" ".join(words).decode(errors="replace")
    return text if len(text) <= _SHOWN_COMMAND else f"{text[:_SHOWN_COMMAND]}..."


def _seen(task: asyncio.Task[Receipt]) -> None:
    """No request waits for it; its failure is in the log and in `GET /v1/revocations/{id}`."""
    if not task.cancelled():
        task.exception()


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise InvalidRequest(f"{text[:40]!r} is not an event's number", subject="since")
    return int(text)
